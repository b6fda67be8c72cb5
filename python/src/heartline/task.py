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
    Shard,
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


class AgentKilled(Exception):
    """The agent is killed, or has used up its budget: no task starts until it is resumed. Raised where tasks begin,
    for `on_kill="raise"` alone."""


class Task:
    """A task. As a context manager, `with` or `async with`, it waits while the agent is killed, and
    ends as failed if an exception leaves it; as a decorator it makes each call a task.

    No method raises, except for the start with `on_kill="raise"`.
    """

    __slots__ = (
        "_begun", "_core", "_failed", "_hb", "_sums", "_token", "quiet_since", "step_name", "thread",
    )  # fmt: skip
    thread: int
    """The thread that it began on; not set unless `begin` began it."""

    def __init__(self, hb: Heartline, name: str | None) -> None:
        self._hb = hb
        self.step_name = name
        # None unless the task has begun and not ended.
        self._core: Core | None = None
        # Cost, tokens read and tokens written, once there are any.
        self._sums: list[int] | None = None
        self._token: Token[Task | None] | None = None

    # Speed matters from here to `__exit__`: see `benchmarks/bench.py`.

    def __enter__(self) -> Task:
        hb = self._hb
        core = hb._core
        gate = core.gate
        if gate.is_closed or core.limits or self._core is not None:
            core = hb._admit(self)
        self._begin(core)
        if gate.is_closed:
            self._begin_again()
        self._token = CURRENT_TASK.set(self)
        return self

    def _begin(self, core: Core) -> None:
        """Begins, also where the gate is closed."""
        self._failed = False
        activity = core.activity
        tasks = activity.tasks
        self._begun = self.quiet_since = activity.last_progress = monotonic_ns()
        self._core = core
        # From here on a kill counts this task as in flight: the gate is looked at again after this.
        tasks[self] = None
        name = self.step_name
        if name is not None:
            activity.step = name
            activity.step_task = self
        if len(tasks) > TASKS_MAX:
            self._hb._forget_oldest_task(core)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        core, token, hb = self._core, self._token, self._hb
        if token is not None:
            self._leave_context(token)
        if core is None or core is not hb._core:
            # It has ended; or it began in the process that this one was forked from, which counts it.
            self._core = None
            return
        if kind is not None:
            self._fail_by(kind)
        self._core = None
        now = monotonic_ns()
        try:
            shard = hb._local.shard
        except AttributeError:
            shard = hb._claim_shard()
        us = (now - self._begun) // 1_000
        if us < 64:
            shard[LATENCY + us] += 1
        else:
            shift = us.bit_length() - 6
            at = LATENCY + 32 * shift + (us >> shift)
            shard[at if at < LAST_BUCKET else LAST_BUCKET] += 1
        if self._sums is not None:
            self._add_sums(shard)
        shard[FAILED if self._failed else OK] += 1
        activity = core.activity
        # After it was counted: once none is in flight, the collector expects no more work.
        activity.tasks.pop(self, None)
        activity.last_progress = now
        if core.limits:
            core.stop_if_spent()
        if core.gate.is_closed:
            core.wake_sender()

    def cost(self, usd: float) -> None:
        """Adds to the cost, in US dollars."""
        nano = round(usd * 1e9) if type(usd) is float and 0.0 <= usd < 1e6 else self._nano_usd(usd)
        if self._core is not None:
            if self._sums is None:
                self._sums = [nano, 0, 0]
            else:
                self._sums[0] += nano

    def tokens(self, input: int = 0, output: int = 0) -> None:
        """Adds to the tokens that models have read and written."""
        if not (type(input) is int is type(output) and 0 <= input | output < COUNT_MAX):
            input, output = self._tokens(input), self._tokens(output)
        if self._core is not None:
            if self._sums is None:
                self._sums = [0, input, output]
            else:
                self._sums[1] += input
                self._sums[2] += output

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
            if success is not None:
                self._failed = not success
            self.__exit__(None, None, None)

    def discard(self) -> None:
        """Ends the task without counting it, neither as succeeded nor as failed: it goes on elsewhere,
        or was none. What it has cost counts."""
        core = self._core
        if core is None:
            return
        if core is self._hb._core and self._sums is not None:
            self._add_sums(self._hb._claim_shard())
        self._retreat(core)

    @property
    def is_running(self) -> bool:
        """Whether the task has begun and not ended, in this process."""
        core = self._core
        return core is not None and core is self._hb._core

    async def __aenter__(self) -> Task:
        hb = self._hb
        core = hb._core
        if core.gate.is_closed or core.limits or self._core is not None:
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
        if self._token is not None:
            self._leave_context(self._token)

    def __call__(self, function: F) -> F:
        """Makes each call of a function a task; of a generator, its whole run."""
        from .wrapping import wrap

        return wrap(self._hb, self.step_name, function)

    def _begin_again(self) -> None:
        """Begins once the agent is resumed: it was killed while this task began."""
        core = self._core
        while core is not None and core.gate.is_closed:
            self._retreat(core)
            core = self._hb._admit(self)
            self._begin(core)

    def _retreat(self, core: Core) -> None:
        """Takes back a begin: the agent was killed meanwhile."""
        self._core = None
        core.activity.tasks.pop(self, None)
        core.wake_sender()

    def _leave_context(self, token: Token[Task | None]) -> None:
        self._token = None
        try:
            CURRENT_TASK.reset(token)
        except (ValueError, RuntimeError):
            pass  # It is left in another context than it was entered in.

    def _fail_by(self, kind: type[BaseException]) -> None:
        """Fails by an exception. A generator that nobody asks any more has not failed."""
        if not self._failed and not issubclass(kind, GeneratorExit):
            self._failed = True
            self._hb._core.last_failure = kind.__name__

    def _nano_usd(self, usd: Any) -> int:
        """Returns a cost of another type or size; 0 for what is none."""
        nano = amounts.nano_usd(usd)
        if nano is None:
            self._hb._reject("cost", usd)
        return nano or 0

    def _tokens(self, value: Any) -> int:
        """Returns tokens of another type; 0 for what is none."""
        number = amounts.count(value)
        if number is None:
            self._hb._reject("tokens", value)
        return number or 0

    def _add_sums(self, shard: Shard) -> None:
        cost, tokens_in, tokens_out = self._sums or (0, 0, 0)
        self._sums = None
        shard[COST_NANO_USD] += cost
        shard[TOKENS_IN] += tokens_in
        shard[TOKENS_OUT] += tokens_out

    def _is_ended(self) -> bool:
        return self._core is None
