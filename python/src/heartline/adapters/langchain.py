"""LangChain and LangGraph: the outermost run of a chain or graph is a task.

Root runs are begun where LangChain's callback managers announce them, because only there a new task
can be held back by a kill. Everything else comes from one callback handler, which is put in front of
the handlers of every callback manager.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Hashable
from types import ModuleType
from typing import Any
from uuid import UUID

import heartline
from langchain_core.callbacks.base import BaseCallbackHandler
from langchain_core.runnables.config import var_child_runnable_config

from .gate import begin_run_held, begin_run_held_async
from .guard import guarded, warn_once
from .langchain_usage import usages_of
from .patch import replace_method
from .scope import Outcome, Run, count, current_run, live
from .suspensions import suspensions

_SOURCE = "langchain"
_CALLS_MAX = 4096
_ROOTS_MAX = 16_384
_PARTS_OF_CHAINS = frozenset({"prompt", "parser", "retriever", "tool"})


class _Root:
    """A run of a chain or graph that no other one of LangChain's is around."""

    __slots__ = ("children", "interrupt", "name", "run", "thread")

    def __init__(self, run: Run, name: str, thread: Hashable | None) -> None:
        self.run = run
        self.name = name
        self.thread = thread
        self.children: dict[UUID, str | None] = {}
        self.interrupt: str | None = None


class HeartlineHandler(BaseCallbackHandler):
    """Follows the runs of LangChain and LangGraph in this process."""

    run_inline = True  # in the context of the run; in another thread its ends can be lost

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forgets all runs: in a forked child they are those of the parent."""
        self._roots: dict[UUID, _Root] = {}
        self._root_of: dict[UUID, _Root] = {}
        self._calls: OrderedDict[UUID, dict[str, Any]] = OrderedDict()

    def is_root(self, parent_run_id: UUID | None) -> bool:
        """Says whether a run with this parent is the outermost one of LangChain's."""
        return parent_run_id is None or parent_run_id not in self._root_of

    @guarded
    def outer_of_root(self) -> Run | None:
        """Returns the run that a root run here is a part of, by LangChain's own context.

        A root run that begins while another one's stream is read, or left unread, or beside it in a
        batch, is not a part of it, although both are in one context.
        """
        config = var_child_runnable_config.get()
        parent = getattr(config.get("callbacks"), "parent_run_id", None) if config else None
        root = self._root_of.get(parent) if parent is not None else None
        if root is not None:
            return root.run
        run = current_run()
        while run is not None and run.source == _SOURCE:
            run = live(run.outer)
        return run

    @guarded
    def root_began(self, run: Run, run_id: UUID, name: str, metadata: dict[str, Any]) -> None:
        """Takes a root run that has begun; it may resume an interrupted one."""
        thread = metadata.get("thread_id")
        key = (_SOURCE, str(thread)) if thread is not None else None
        if key is not None:
            suspensions.resume(key, run.handle)
        if len(self._roots) >= _ROOTS_MAX:  # ends that never came
            oldest = next(iter(self._roots))
            self._ended(oldest, None, Outcome.UNCOUNTED)
        root = _Root(run, name, key)
        self._roots[run_id] = self._root_of[run_id] = root

    @guarded
    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a step of a run."""
        node = (metadata or {}).get("langgraph_node")
        name = node if isinstance(node, str) and kwargs.get("name") == node else None
        root = self._child_began(run_id, parent_run_id, name)
        if root is not None and name is not None:
            root.run.step(name)

    @guarded
    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a tool that begins."""
        name = kwargs.get("name") or (serialized or {}).get("name")
        root = self._child_began(run_id, parent_run_id, None)
        if root is not None and isinstance(name, str):
            root.run.step(name)

    @guarded
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Takes the end of a run or of a step."""
        self._ended(run_id, None)

    @guarded
    def on_chain_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a failure, a cancellation, or an interrupt, which LangGraph raises through nodes."""
        root = self._root_of.get(run_id)
        if root is not None and type(error).__name__ in ("GraphInterrupt", "NodeInterrupt"):
            if parent_run_id in self._roots:  # not in a graph that a node runs for itself
                node = root.children.get(run_id)
                root.interrupt = f"interrupt in {node}" if node else "interrupt"
            self._ended(run_id, None)
        else:
            self._ended(run_id, error)

    @guarded
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Takes the end of a tool."""
        self._ended(run_id, None)

    @guarded
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Takes the failure of a tool, which is the business of the run around it."""
        self._ended(run_id, error)

    @guarded
    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a request to a model."""
        self._call_began(run_id, metadata)

    @guarded
    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,
        prompts: Any,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a request to a model that completes text."""
        self._call_began(run_id, metadata)

    @guarded
    def on_llm_end(
        self, response: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Takes a response, with its tokens where the model says them."""
        metadata = self._calls.pop(run_id, {})
        root = self._root_of.get(parent_run_id) if parent_run_id is not None else None
        run = root.run if root is not None else current_run()
        handle = run.handle if run is not None else heartline.current()
        if handle is None:
            return
        for usage in usages_of(response, metadata):
            if usage.tokens_in is None and usage.tokens_out is None:
                warn_once(
                    f"the model {usage.model or 'of a LangChain run'} reports no tokens, so they and "
                    "its cost are unknown; where it streams, stream_usage=True may help"
                )
            count(usage, _SOURCE, handle, run)

    @guarded
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Takes a request that failed, which is the business of the run around it."""
        self._calls.pop(run_id, None)

    @guarded
    def on_interrupt(self, event: Any) -> None:
        """Takes LangGraph's word that a graph stands still until somebody resumes it. Of a static
        interrupt it is the only one. It comes before the end of the root run, which looks like that
        of any other."""
        root = self._roots.get(event.run_id)
        if root is not None and root.interrupt is None:
            root.interrupt = "interrupt"

    def on_resume(self, event: Any) -> None:
        """Does nothing: a run that goes on shows by its thread."""

    def _child_began(
        self, run_id: UUID, parent_run_id: UUID | None, node: str | None
    ) -> _Root | None:
        if parent_run_id is None:
            return None
        root = self._root_of.get(parent_run_id)
        if root is not None and run_id not in self._roots:
            self._root_of[run_id] = root
            root.children[run_id] = node
        return root

    def _call_began(self, run_id: UUID, metadata: dict[str, Any] | None) -> None:
        self._calls[run_id] = metadata or {}
        if len(self._calls) > _CALLS_MAX:
            self._calls.popitem(last=False)

    def _ended(
        self, run_id: UUID, error: BaseException | None, outcome: Outcome | None = None
    ) -> None:
        root = self._root_of.pop(run_id, None)
        if root is None:
            return
        root.children.pop(run_id, None)
        if self._roots.pop(run_id, None) is None:
            return
        for child in root.children:
            self._root_of.pop(child, None)
        if root.interrupt is not None and root.thread is not None:
            outcome = Outcome.UNCOUNTED
            suspensions.suspend(root.thread, root.interrupt, root.run.handle)
        if outcome is None:
            root.run.end_by(error)
        else:
            root.run.end(outcome)


def install(manager_module: ModuleType) -> None:
    """Follows every run of LangChain in this process.

    - `manager_module`: the module `langchain_core.callbacks.manager`.
    """
    add_to_managers(manager_module.BaseCallbackManager, handler)
    held = replace_method(manager_module.CallbackManager, "on_chain_start", _make_start)
    held &= replace_method(manager_module.AsyncCallbackManager, "on_chain_start", _make_start_async)
    if not held:
        warn_once("this version of langchain-core has other callback managers: no run is counted")


def add_to_managers(manager_class: Any, added: BaseCallbackHandler) -> None:
    """Puts a handler in front of those of every callback manager that is made from now on."""
    original = manager_class.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        for name in ("handlers", "inheritable_handlers"):
            others = [other for other in getattr(self, name, ()) if other is not added]
            setattr(self, name, [added, *others])

    init.__wrapped__ = original  # type: ignore[attr-defined]
    manager_class.__init__ = init


handler = HeartlineHandler()
os.register_at_fork(after_in_child=handler.forget)


def _make_start(original: Any) -> Any:
    def on_chain_start(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_task(self, kwargs):
            return original(self, *args, **kwargs)
        run = begin_run_held(_SOURCE, kwargs.get("name"), outer=handler.outer_of_root())
        if run is None:
            return original(self, *args, **kwargs)
        try:
            manager = original(self, *args, **kwargs)
        except BaseException as error:
            run.end_by(error)
            raise
        handler.root_began(run, manager.run_id, kwargs.get("name") or "", self.metadata)
        return manager

    return on_chain_start


def _make_start_async(original: Any) -> Any:
    async def on_chain_start(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_task(self, kwargs):
            return await original(self, *args, **kwargs)
        run = await begin_run_held_async(
            _SOURCE, kwargs.get("name"), outer=handler.outer_of_root()
        )
        if run is None:
            return await original(self, *args, **kwargs)
        try:
            manager = await original(self, *args, **kwargs)
        except BaseException as error:
            run.end_by(error)
            raise
        handler.root_began(run, manager.run_id, kwargs.get("name") or "", self.metadata)
        return manager

    return on_chain_start


@guarded
def _is_task(manager: Any, kwargs: dict[str, Any]) -> bool:
    """Says whether a run that begins is a task: the outermost one, and no mere part of a chain."""
    name = kwargs.get("name")
    return (
        handler.is_root(manager.parent_run_id)
        and kwargs.get("run_type") not in _PARTS_OF_CHAINS
        and not (isinstance(name, str) and name.endswith("UpdateState"))
    )

