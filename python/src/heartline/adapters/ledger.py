"""Which responses of models have been counted, so that each counts once.

One response is often reported more than once: by the framework, by an instrumentation of it, and by
one of the client underneath. They all hear of it at the same time, each is another *source*.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from ..task import Task
from .cost import cost_of
from .usage import Usage

if TYPE_CHECKING:
    from ..handle import Heartline

_RESPONSES_MAX = 2048
_SAME_TASK_SECONDS = 2.0
_LOOSE_SECONDS = 0.1

_Tokens = tuple[int | None, int | None]


class _Response:
    """A response that was counted."""

    __slots__ = ("at", "id", "is_priced", "sources", "task", "tokens")

    def __init__(self, usage: Usage, task: Task | None, at: float) -> None:
        self.id = usage.response_id
        self.tokens: _Tokens = (usage.tokens_in, usage.tokens_out)
        self.sources: set[str] = set()
        self.task = task
        self.at = at
        self.is_priced = False


class Ledger:
    """The newest responses that were counted.

    A report is of a response that was counted already:
    1. if their ids are equal; or
    2. if one of them has no id, their tokens are equal, it comes from a source that has not reported
       this response, and the response was complete at the same time: within 2 s in one task, within
       0.1 s where one of them was outside of any task.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._responses: OrderedDict[_Response, None] = OrderedDict()
        self._by_id: dict[str, _Response] = {}
        self._by_tokens: dict[_Tokens, list[_Response]] = {}

    def count(self, usage: Usage, source: str, target: Task | Heartline) -> None:
        """Adds to a task, or to the agent outside of any, what was not counted yet of a response."""
        if not usage.is_known:
            return
        task = target if isinstance(target, Task) else None
        at = time.monotonic() if usage.at is None else usage.at
        with self._lock:
            response = self._find(usage, source, task, at)
            is_new = response is None
            if response is None:
                response = self._add(_Response(usage, task, at))
            response.sources.add(source)
            if usage.response_id is not None and response.id is None:
                response.id = usage.response_id
                self._by_id[usage.response_id] = response
            needs_price = not response.is_priced
        usd = cost_of(usage) if needs_price else None
        if usd is not None:
            response.is_priced = True
        read, written = (usage.tokens_in or 0, usage.tokens_out or 0) if is_new else (0, 0)
        _add_to(target, usd or 0.0, read, written)

    def _find(
        self, usage: Usage, source: str, task: Task | None, at: float
    ) -> _Response | None:
        if usage.response_id is not None and usage.response_id in self._by_id:
            return self._by_id[usage.response_id]
        for response in self._by_tokens.get((usage.tokens_in, usage.tokens_out), ()):
            if (
                (usage.response_id is None or response.id is None)
                and source not in response.sources
                and abs(at - response.at) <= _window(task, response.task)
            ):
                return response
        return None

    def _add(self, response: _Response) -> _Response:
        self._responses[response] = None
        self._by_tokens.setdefault(response.tokens, []).append(response)
        if response.id is not None:
            self._by_id[response.id] = response
        if len(self._responses) > _RESPONSES_MAX:
            self._forget(self._responses.popitem(last=False)[0])
        return response

    def _forget(self, oldest: _Response) -> None:
        if oldest.id is not None:
            self._by_id.pop(oldest.id, None)
        same = self._by_tokens[oldest.tokens]
        same.remove(oldest)
        if not same:
            del self._by_tokens[oldest.tokens]


def _window(task: Task | None, other: Task | None) -> float:
    """Returns how far apart reports of one response may be, in seconds."""
    if task is None or other is None:
        return _LOOSE_SECONDS
    return _SAME_TASK_SECONDS if task is other else -1.0


def _add_to(target: Task | Heartline, usd: float, tokens_in: int, tokens_out: int) -> None:
    if isinstance(target, Task):
        if usd:
            target.cost(usd)
        target.tokens(input=tokens_in, output=tokens_out)
    else:
        target.add_usage(cost_usd=usd, tokens_in=tokens_in, tokens_out=tokens_out)


ledger = Ledger()
os.register_at_fork(after_in_child=ledger.__init__)  # type: ignore[misc]
