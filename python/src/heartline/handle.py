"""The agent's handle of its emitter."""

from __future__ import annotations

from _thread import get_ident
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import amounts
from .core import Core
from .counters import (
    COST_NANO_USD,
    FAILED,
    LATENCY,
    LOST,
    OK,
    TOKENS_IN,
    TOKENS_OUT,
    Shard,
)
from .current import CURRENT_TASK
from .gate import KillCause
from .lifecycle import Lifecycle
from .loop_lag import running_loop
from .problem import Problem
from .protocol.buckets import bucket
from .status import Status
from .task import AgentKilled, Task
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from .arguments import Arguments

    F = TypeVar("F", bound=Callable[..., Any])


class Heartline:
    """Handle of an agent's emitter, made by `heartline.start`.

    No method raises, and none waits for the network. `task` waits while the agent is killed. A forked
    child that uses the handle becomes a replica of the agent, `NAME.1`, `NAME.2` and so on, with a
    session of its own.
    """

    __slots__ = ("__weakref__", "_core", "_lifecycle", "_local", "_raises")

    def __init__(self, arguments: Arguments) -> None:
        self._raises = arguments.on_kill == "raise"
        self._lifecycle = Lifecycle(self, arguments)
        self._core: Core
        self._local: Any

    # Work

    def report(
        self,
        success: bool = True,
        *,
        latency_ms: float | None = None,
        cost_usd: float | None = None,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        """Counts work that was not a task. Takes less than a microsecond."""
        try:
            shard: Shard = self._local.shard
        except AttributeError:
            shard = self._claim_shard()
        if latency_ms is not None:
            try:
                us = int(latency_ms * 1_000)
                if us >= 64:
                    shift = us.bit_length() - 6
                    # Beyond a day there is no bucket: an IndexError.
                    shard[LATENCY + 32 * shift + (us >> shift)] += 1
                elif latency_ms >= 0:
                    shard[LATENCY + us] += 1
                else:
                    self._reject("latency", latency_ms)
            except Exception:
                self._add_latency(latency_ms)
        if cost_usd is not None:
            try:
                if 0 <= cost_usd < 1e6:
                    shard[COST_NANO_USD] += round(cost_usd * 1e9)
                else:
                    self._add_cost(cost_usd)
            except Exception:
                self._add_cost(cost_usd)
        if tokens_in or tokens_out:
            if type(tokens_in) is int is type(tokens_out) and 0 <= tokens_in | tokens_out < 2**53:
                shard[TOKENS_IN] += tokens_in
                shard[TOKENS_OUT] += tokens_out
            else:
                self._add_tokens(tokens_in, tokens_out)
        shard[OK if success else FAILED] += 1

    def add_usage(
        self,
        *,
        cost_usd: float | None = None,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        """Counts a cost and tokens that belong to no task, without counting a task."""
        if cost_usd is not None:
            self._add_cost(cost_usd)
        if tokens_in or tokens_out:
            self._add_tokens(tokens_in, tokens_out)

    @overload
    def task(self, name: str | None = None) -> Task: ...
    @overload
    def task(self, name: F) -> F: ...
    def task(self, name: Any = None) -> Any:
        """Makes a task: for `with hb.task("fetch") as t:`, the same with `async with`, or as a
        decorator, `@hb.task` or `@hb.task("fetch")`, of functions, coroutines and generators.

        Its start waits while the agent is killed, or raises `AgentKilled` with `on_kill="raise"`. The
        name is shown as the step, until the task takes another.
        """
        if name is None or isinstance(name, str):
            return Task(self, name)
        if callable(name):
            return Task(self, None)(name)
        return Task(self, str(name))

    def begin(self, name: str | None = None) -> Task:
        """Begins a task that `Task.end` ends, for frameworks whose begin and end are two callbacks. It
        does not wait while the agent is killed."""
        task = Task(self, None if name is None else str(name))
        task.thread = get_ident()
        core = self._running_core()
        core.loop_lag.watch_running_loop()
        task._begin(core)
        return task

    def step(self, name: str) -> None:
        """Sets the current step. This counts as progress: an agent that takes no step, and begins and
        ends no task, for long enough is shown as stalled.

        An agent is shown as stalled, too, when one of its tasks has taken no step for so long, beside
        others that go on. A step is one of the task of this context; elsewhere it is one of the tasks
        that `begin` began on this thread, or of all where none did.
        """
        name = str(name)
        core = self._running_core()
        task = CURRENT_TASK.get()
        if task is not None and task in core.activity.tasks:
            task.step(name)
            return
        self._touch(core)
        core.activity.set_step(name, None)

    def waiting(self, name: str | None = None) -> Waiting:
        """Reports that the agent waits for something outside of itself, such as a person's approval:
        `with hb.waiting("approval"):`, also with `async with`. A waiting agent is not shown as
        stalled."""
        return Waiting(self, name)

    def begin_waiting(self, name: str | None = None) -> int:
        """Begins a wait, where its begin and end are two callbacks; returns its number. Waits are
        counted: an agent waits while at least as many go on as tasks are in flight."""
        core = self._running_core()
        self._touch(core)
        return core.activity.begin_wait(None if name is None else str(name))

    def end_waiting(self, wait: int | None = None) -> None:
        """Ends a wait by its number, or else the one that began last."""
        core = self._running_core()
        self._touch(core)
        core.activity.end_wait(wait)

    def queue(self, depth: int) -> None:
        """Reports the length of the agent's backlog. One that does not shrink while no task begins or
        ends is shown as stalled."""
        number = amounts.count(depth)
        core = self._running_core()
        if number is None:
            self._reject("queue", depth)
        else:
            core.activity.set_queue(number)

    # Kill

    @property
    def killed(self) -> bool:
        """Whether the agent is killed, or has used up a budget: no task starts."""
        core = self._running_core()
        if core.limits:
            core.stop_if_spent()
        return core.gate.is_closed

    def wait_until_resumed(self, timeout: float | None = None) -> bool:
        """Blocks while the agent is killed, but not for longer than `timeout` seconds; returns whether
        it may work."""
        return self._running_core().gate.wait(timeout)

    async def resumed(self) -> None:
        """Waits while the agent is killed, without blocking the event loop."""
        await self._running_core().gate.wait_async()

    # The emitter

    def status(self) -> Status:
        """Returns the status of the emitter, with its problems. As text it is one line."""
        return self._lifecycle.status()

    def stop(self) -> None:
        """Stops the emitter: says goodbye with the work not sent yet, and waits for the answer, at
        most a second and a half. Afterwards nothing is sent, and a kill stays in force. Called at the
        end of the process by itself."""
        self._lifecycle.stop(with_goodbye=True)

    def __repr__(self) -> str:
        status = self.status()
        return f"<Heartline {status.agent}: {status}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Is pickled as its arguments: a process that gets it starts an emitter of its own."""
        from .process import restart

        return restart, tuple(self._lifecycle.arguments)

    # For the package

    def _running_core(self) -> Core:
        """Returns the core, after starting it in a forked child that did not use it yet."""
        core = self._core
        return self._lifecycle.start_replica() if self._lifecycle.is_pending else core

    def _claim_shard(self) -> Shard:
        return self._lifecycle.claim_shard()

    def _admit(self, task: Task) -> Core:
        """Waits while the agent is killed, and returns the core that `task` is to begin in."""
        self._restart(task)
        while True:
            core = self._running_core()
            core.stop_if_spent()
            if not core.gate.is_closed:
                return core
            self._refuse(core)
            if running_loop() is not None:
                core.add_problem(
                    Problem(
                        "blocks_event_loop",
                        "a task that was begun by `with` waits for the resume, and blocks its event "
                        "loop: use `async with hb.task()` there",
                    )
                )
            core.gate.wait()

    async def _admit_async(self, task: Task) -> Core:
        """Does the same without blocking the event loop."""
        self._restart(task)
        while True:
            core = self._running_core()
            core.stop_if_spent()
            if not core.gate.is_closed:
                return core
            self._refuse(core)
            await core.gate.wait_async()

    def _refuse(self, core: Core) -> None:
        if self._raises:
            if core.gate.cause is KillCause.BUDGET:
                raise AgentKilled(
                    f"the agent {core.agent} has used up its budget: it starts no task before the "
                    "collector says that there is more"
                )
            raise AgentKilled(
                f"the agent {core.agent} is killed: an operator has to resume it before it starts "
                "another task"
            )

    def _restart(self, task: Task) -> None:
        """Ends a task that is begun a second time before its end."""
        if task._core is not None:
            self._core.add_problem(
                Problem(
                    "task_entered_twice",
                    "a task was entered again before its end: call hb.task() for each",
                )
            )
            task.end()

    def _touch(self, core: Core) -> None:
        """Records progress of the tasks that it may be of."""
        now = monotonic_ns()
        current = CURRENT_TASK.get()
        tasks = list(core.activity.tasks)
        if current is not None and current in core.activity.tasks:
            tasks = [current]
        else:
            thread = get_ident()
            tasks = [it for it in tasks if getattr(it, "thread", None) == thread] or tasks
        for task in tasks:
            task.quiet_since = now

    def _forget_oldest_task(self, core: Core) -> None:
        core.activity.forget_oldest_task()
        self._lose()

    def _add_latency(self, latency_ms: Any) -> None:
        """Counts a latency of another type than `float` and `int`, or beyond a day, or rejects it."""
        try:
            us = int(float(latency_ms) * 1_000)
            if latency_ms < 0:
                raise ValueError
        except Exception:
            self._reject("latency", latency_ms)
        else:
            self._claim_shard()[LATENCY + bucket(us)] += 1

    def _add_cost(self, cost_usd: Any) -> None:
        """Adds a cost of another type than `float` and `int`, or rejects it."""
        nano = amounts.nano_usd(cost_usd)
        if nano is None:
            self._reject("cost", cost_usd)
        else:
            self._claim_shard()[COST_NANO_USD] += nano

    def _add_tokens(self, tokens_in: Any, tokens_out: Any) -> None:
        """Adds tokens of other types than `int`, or rejects them."""
        for counter, value in (TOKENS_IN, tokens_in), (TOKENS_OUT, tokens_out):
            number = amounts.count(value)
            if number is None:
                self._reject("tokens", value)
            else:
                self._claim_shard()[counter] += number

    def _reject(self, what: str, value: object) -> None:
        """Counts a lost observation, and says so once for each kind of value."""
        self._lose()
        self._core.add_problem(amounts.rejected(what, value))

    def _lose(self) -> None:
        self._claim_shard()[LOST] += 1
