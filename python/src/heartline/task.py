"""Tasks: units of work that are counted and timed."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any, TypeVar

from . import amounts
from .activity import TASKS_MAX
from .counters import (
    COST_NANO_USD,
    FAILED,
    LAST_BUCKET,
    LATENCY,
    OK,
    TOKENS_IN,
    TOKENS_OUT,
)
from .current import CURRENT_TASK
from .protocol.buckets import COUNT_MAX

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType

    from .core import Core
    from .handle import Heartline

    F = TypeVar("F", bound=Callable[..., Any])

_SIXTY_FOURTHS = 6


class AgentKilled(Exception):
    """An operator has killed the agent: no task starts until it is resumed. Raised where tasks begin,
    for `on_kill="raise"` alone."""


class Task:
    """A task. As a context manager, `with` or `async with`, it waits while the agent is killed, and
    ends as failed if an exception leaves it; as a decorator it makes each call a task.

    No method raises, except for the start with `on_kill="raise"`.
    """

    __slots__ = (
        "_begun", "_core", "_cost", "_failed", "_hb", "_token", "_tokens_in", "_tokens_out",
        "quiet_since", "step_name", "thread",
    )  # fmt: skip

    def __init__(self, hb: Heartline, name: str | None) -> None:
        self._hb = hb
        self.step_name = name
        # None unless the task has begun and not ended.
        self._core: Core | None = None
        self._cost = self._tokens_in = self._tokens_out = 0
        self.thread = 0

    # Speed matters from here to `_end`: see `benchmarks/bench.py`.

    def __enter__(self) -> Task:
        core = self._hb._core
        if core.gate.is_closed or self._core is not None:
            core = self._hb._admit(self)
        self._begin(core)
        while core.gate.is_closed:
            self._retreat(core)
            core = self._hb._admit(self)
            self._begin(core)
        self._token: Token[Task | None] | None = CURRENT_TASK.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        token = self._token
        if token is not None:
            self._token = None
            try:
                CURRENT_TASK.reset(token)
            except (ValueError, RuntimeError):
                pass  # It is left in another context than it was entered in.
        if kind is None:
            self._end(self._failed)
        else:
            self._end_by(kind)

    def _begin(self, core: Core) -> None:
        """Begins, also where the gate is closed."""
        self._failed = False
        self._cost = self._tokens_in = self._tokens_out = 0
        activity = core.activity
        tasks = activity.tasks
        now = monotonic_ns()
        self._begun = self.quiet_since = now
        self._core = core
        # From here on a kill counts this task as in flight: the gate is looked at again after this.
        tasks[self] = None
        activity.last_progress = now
        name = self.step_name
        if name is not None:
            activity.step = name
            activity.step_task = self
        if len(tasks) > TASKS_MAX:
            self._hb._forget_oldest_task(core)

    def _end(self, failed: bool) -> None:
        """Counts the task, once."""
        core = self._core
        if core is None:
            return
        self._core = None
        hb = self._hb
        if core is not hb._core:
            # It began in the process that this one was forked from, which counts it.
            return
        now = monotonic_ns()
        try:
            shard = hb._local.shard
        except AttributeError:
            shard = hb._claim_shard()
        us = (now - self._begun) // 1_000
        if us < 64:
            shard[LATENCY + us] += 1
        else:
            shift = us.bit_length() - _SIXTY_FOURTHS
            at = LATENCY + 32 * shift + (us >> shift)
            shard[at if at < LAST_BUCKET else LAST_BUCKET] += 1
        if self._cost:
            shard[COST_NANO_USD] += self._cost
        if self._tokens_in:
            shard[TOKENS_IN] += self._tokens_in
        if self._tokens_out:
            shard[TOKENS_OUT] += self._tokens_out
        shard[FAILED if failed else OK] += 1
        activity = core.activity
        # After it was counted: once none is in flight, the collector expects no more work.
        activity.tasks.pop(self, None)
        activity.last_progress = now
        if core.gate.is_closed:
            core.wake_sender()

    # The rest

    def cost(self, usd: float) -> None:
        """Adds to the cost, in US dollars."""
        nano = amounts.nano_usd(usd)
        if nano is None or self._cost + nano > COUNT_MAX:
            self._hb._reject("cost", usd)
        elif not self._is_ended():
            self._cost += nano

    def tokens(self, input: int = 0, output: int = 0) -> None:
        """Adds to the tokens that models have read and written."""
        read, written = amounts.count(input), amounts.count(output)
        if read is None or self._tokens_in + read > COUNT_MAX:
            self._hb._reject("tokens", input)
        elif not self._is_ended():
            self._tokens_in += read
        if written is None or self._tokens_out + written > COUNT_MAX:
            self._hb._reject("tokens", output)
        elif not self._is_ended():
            self._tokens_out += written

    def step(self, name: str) -> None:
        """Sets the current step of this task. This counts as progress, of this task alone."""
        core = self._core
        if core is not None and core is self._hb._core:
            self.step_name = str(name)
            core.activity.set_step(self.step_name, self)
            self.quiet_since = monotonic_ns()

    def fail(self, reason: str | None = None) -> None:
        """Makes the task end as failed; the reason is in the status."""
        if self._is_ended():
            return
        self._failed = True
        if reason is not None:
            self._hb._core.last_failure = str(reason)

    def end(self, success: bool | None = None) -> None:
        """Ends the task, where no `with` does; as failed if `success` is false, or if it is not given
        and `fail` was called. A second call changes nothing."""
        if not self._is_ended():
            self._end(self._failed if success is None else not success)

    async def __aenter__(self) -> Task:
        hb = self._hb
        core = hb._core
        if core.gate.is_closed or self._core is not None:
            core = await hb._admit_async(self)
        core.loop_lag.watch_running_loop()
        self._begin(core)
        while core.gate.is_closed:
            self._retreat(core)
            core = await hb._admit_async(self)
            self._begin(core)
        self._token = CURRENT_TASK.set(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def leave_context(self) -> None:
        """Makes this task no longer the current one; it goes on."""
        token, self._token = self._token, None
        if token is not None:
            CURRENT_TASK.reset(token)

    def __call__(self, function: F) -> F:
        """Makes each call of a function a task; of a generator, its whole run."""
        from .wrapping import wrap

        return wrap(self._hb, self.step_name, function)

    def _retreat(self, core: Core) -> None:
        """Takes back a begin: the agent was killed meanwhile."""
        self._core = None
        core.activity.tasks.pop(self, None)
        core.wake_sender()

    def _end_by(self, kind: type[BaseException]) -> None:
        """Ends the task after an exception. A generator that nobody asks any more has not failed."""
        failed = self._failed or not issubclass(kind, GeneratorExit)
        if failed and not self._failed and not self._is_ended():
            self._hb._core.last_failure = kind.__name__
        self._end(failed)

    def _is_ended(self) -> bool:
        return self._core is None
