"""A span processor that makes tasks of the spans that agent frameworks write.

The rule:
1. A span is *ours* if it comes from a known scope, or its attributes at its start say so.
2. A task begins with a span of ours that has no live local ancestor of ours. Spans of HTTP servers
   and of the program itself, and remote parents, stand in nobody's way.
3. What a span stands for is decided at its end: an agent is a task, a call alone or a tool is none.
4. Tokens go up from the calls; a call that knows its own replaces what was reported below it.
5. A task failed if its span has status ERROR; with the instrumentations of OpenAI Agents, which
   leave that span as it is, also if an agent's span below it has, unless it is below a tool.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import heartline
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, StatusCode

from ..gate import begin_run, begin_run_held
from ..guard import guarded
from ..scope import Outcome, Run, count
from ..usage import Usage, as_text
from .kinds import Kind, is_ours, kind_of
from .live_span import LiveSpan
from .usages import usage_of

_LIVE_MAX = 16_384
_AGE_MAX_SECONDS = 6 * 3600.0


_processors: weakref.WeakSet[HeartlineSpanProcessor] = weakref.WeakSet()


def _forget_all() -> None:
    for processor in _processors:
        processor._forget()


os.register_at_fork(after_in_child=_forget_all)


class HeartlineSpanProcessor(SpanProcessor):
    """Counts, times and prices what instrumented agent frameworks do, as tasks of this agent.

    Add it to a tracer provider: `provider.add_span_processor(HeartlineSpanProcessor())`. It changes
    no span and exports nothing. `heartline.auto()` adds it to every provider of the program.
    """

    def __init__(self) -> None:
        self._forget()
        _processors.add(self)

    def _forget(self) -> None:
        """Forgets all spans: in a forked child they are those of the parent."""
        self._lock = threading.Lock()
        self._live: OrderedDict[tuple[int, int], LiveSpan] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Takes a span that begins; the first one of a task waits while the agent is killed."""
        self._begin(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Takes a span that has ended."""
        self._end(span)

    def shutdown(self) -> None:
        """Does nothing: the emitter ends with the program, not with the provider."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Does nothing, because nothing waits here."""
        return True

    @guarded
    def _begin(self, span: Span) -> None:
        context = span.get_span_context()
        attributes: Mapping[str, Any] = span.attributes or {}
        scope = _scope_name(span)
        now = time.monotonic()
        ours = is_ours(scope, attributes)
        live = None
        with self._lock:
            expired = self._expired(now)
            parent = self._live.get(_key(span.parent)) if span.parent is not None else None
            if ours or parent is not None:  # others have nothing to pass on
                live = self._live[_key(context)] = LiveSpan(parent, scope, ours, now)
        for old in expired:
            if old.run is not None:
                old.run.end(Outcome.UNCOUNTED)
        if live is None or not ours:
            return
        live.kind = kind_of(span.name, attributes)
        if live.is_inside:
            live.step(span.name)
        elif live.kind in (None, Kind.AGENT):
            live.run = _begin_run(span.name)

    @guarded
    def _end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None:
            return
        with self._lock:
            live = self._live.pop(_key(context), None)
        if live is None:
            return
        live.has_ended = True
        attributes: Mapping[str, Any] = span.attributes or {}
        live.kind = kind_of(span.name, attributes) or Kind.OTHER
        failed = span.status.status_code is StatusCode.ERROR
        if live.is_ours and live.kind is Kind.CALL:
            usage = usage_of(attributes)._replace(at=time.monotonic())
            if usage.is_known:
                live.calls = {usage.response_id or _key(context): (usage, f"span of {live.scope}")}
        if live.is_ours and not live.is_inside:
            _finish(live, failed or live.agent_failed, as_text(attributes.get("error.type")))
        else:
            _pass_up(live, failed)

    def _expired(self, now: float) -> list[LiveSpan]:
        """Removes spans that will hardly end any more, such as that of a stream nobody reads."""
        expired: list[LiveSpan] = []
        while self._live:
            key, oldest = next(iter(self._live.items()))
            if len(self._live) <= _LIVE_MAX and now - oldest.began <= _AGE_MAX_SECONDS:
                break
            expired.append(oldest)
            del self._live[key]
        return expired


def _begin_run(name: str) -> Run | None:
    """Begins a run, in its time; what can't be held is counted all the same."""
    if _in_event_loop():
        return begin_run("opentelemetry", name)
    try:
        return begin_run_held("opentelemetry", name)
    except heartline.AgentKilled:
        return begin_run("opentelemetry", name)


def _finish(live: LiveSpan, failed: bool, reason: str | None) -> None:
    """Ends what the outermost span of ours began."""
    _count(live.calls, live)
    if live.run is None:
        return
    if live.kind is not Kind.AGENT:
        live.run.end(Outcome.UNCOUNTED)
    else:
        live.run.end(Outcome.FAILED if failed else Outcome.OK, reason)


def _pass_up(live: LiveSpan, failed: bool) -> None:
    """Adds what a span brought to the one around it, which may have ended before it."""
    parent = live.parent
    while parent is not None and parent.has_ended:
        parent = parent.parent
    if parent is None:
        _count(live.calls, live)
        return
    parent.calls.update(live.calls)
    if live.kind is not Kind.TOOL and (
        live.agent_failed
        or (failed and live.kind is Kind.AGENT and "openai_agents" in live.scope)
    ):
        parent.agent_failed = True


def _count(calls: dict[Any, tuple[Usage, str]], live: LiveSpan) -> None:
    run = live.run or live.outer
    if live.handle is not None:
        for usage, source in calls.values():
            count(usage, source, live.handle, run)


def _scope_name(span: ReadableSpan) -> str:
    scope = span.instrumentation_scope
    return scope.name if scope is not None else ""


def _key(context: SpanContext) -> tuple[int, int]:
    return context.trace_id, context.span_id


def _in_event_loop() -> bool:
    """Says whether blocking here would block an event loop."""
    return "asyncio" in sys.modules and asyncio._get_running_loop() is not None
