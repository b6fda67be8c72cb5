"""Replaces a method of a framework's class by one that calls it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_MARK = "__heartline_replaced__"


def replace_method(owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> bool:
    """Sets `owner.name` to what `make` makes of the method that stands there; once for each method.

    Returns False where there is no such method: the versions of frameworks differ.
    """
    original = getattr(owner, name, None)
    if not callable(original):
        return False
    if not hasattr(original, _MARK):
        replacement = functools.wraps(original)(make(original))
        setattr(replacement, _MARK, True)
        setattr(owner, name, replacement)
    return True
