"""Runs a function when the program imports a module, or at once if it has."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from .guard import report

Callback = Callable[[ModuleType], None]


class _Finder:
    """First of the finders; finds nothing itself, but sees what the others find."""

    def __init__(self) -> None:
        self._watched: dict[str, Callback] = {}
        self._finding = threading.local()

    def watch(self, name: str, callback: Callback) -> None:
        self._watched[name] = callback

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a watched module as the other finders do, and adds the callback to its loading."""
        if name not in self._watched or getattr(self._finding, "name", None) == name:
            return None
        self._finding.name = name
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._finding.name = None
        if spec is not None:
            self._call_after_loading(spec)
        return spec

    def _call_after_loading(self, spec: ModuleSpec) -> None:
        """Adds the callback for the one time that this loader loads the module.

        The loader stays what it is: resources, sources and pickles are found through it.
        """
        loader = spec.loader
        load = getattr(loader, "exec_module", None)
        if load is None:
            return

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # type: ignore[union-attr]
            load(module)
            callback = self._watched.pop(spec.name, None)
            if callback is not None:
                _call(callback, module)

        try:
            loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]
        except AttributeError:  # a built-in loader, of which no framework makes use
            return


_finder = _Finder()


def when_imported(name: str, callback: Callback) -> None:
    """Calls `callback` with a module when the program imports it; at once if it has already."""
    module = sys.modules.get(name)
    if module is not None and not _is_initializing(module):
        _call(callback, module)
        return
    _finder.watch(name, callback)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _is_initializing(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _call(callback: Callback, module: ModuleType) -> None:
    try:
        callback(module)
    except Exception as error:
        report(f"for {module.__name__}", error)
