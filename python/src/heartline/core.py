"""What the agent's threads and the sender's thread of one emitter share."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING

from .activity import Activity
from .background import BackgroundCalls
from .counters import LOST, Counters
from .engine.metrics import Vitals
from .engine.spending_limit import SpendingLimit, amount
from .gate import KillCause, KillGate
from .log import Log
from .loop_lag import LoopLag
from .native import new_lock, start_thread
from .problem import Problem
from .sender.state import SenderState
from .status import Counted, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sender.thread import Sender
    from .sender.waker import Waker

# Longest wait for the sender to stop, its goodbye included, in seconds.
STOP_TIMEOUT = 1.5
# Longest wait for the log to be written at the end.
_LOG_TIMEOUT = 0.2
# Lag of an event loop from which on it counts as blocked.
_BLOCKED = 1_000_000_000
_BLOCKED_STEP = "event loop blocked"


class Core:
    """The parts of one emitter in one process. A forked child has one of its own."""

    def __init__(self, agent: str, on_kill: Callable[[], object] | None) -> None:
        self.agent = agent
        self.counters = Counters()
        self.activity = Activity()
        self.gate = KillGate()
        self.limits: tuple[SpendingLimit, ...] = ()
        """What the budgets of all collectors allow; replaced as a whole by the sender."""
        self.loop_lag = LoopLag()
        self.log = Log(agent)
        self.sender = SenderState()
        self.waker: Waker | None = None
        self.thread: Sender | None = None
        self.last_failure: str | None = None
        self.on_kill = on_kill
        self._hooks = BackgroundCalls(
            lambda error: self.log.warn(
                f"the function for kills has raised {type(error).__name__}: {error}"
            )
        )
        self._is_killed = False
        self._done = 0
        # Held until there is no sender any more.
        self._sender_ended = new_lock()

    # For the agent's threads

    def wake_sender(self) -> None:
        """Makes the sender look at what has changed."""
        waker = self.waker
        if waker is not None:
            waker.wake()

    def is_spent(self) -> bool:
        """Returns whether a budget is used up."""
        counted = [self.counters.total(counter) for counter in range(LOST)] if self.limits else []
        return any(amount(limit.unit, *counted) >= limit.total for limit in self.limits)

    def stop_if_spent(self) -> None:
        """Closes the gate if a budget is used up. The sender opens it again, and is woken, so that it
        looks at the budgets once more and reports what was spent."""
        if not self.gate.is_closed and self.is_spent():
            self.kill(KillCause.BUDGET)
            self.wake_sender()

    def stop(self, with_goodbye: bool, timeout: float = STOP_TIMEOUT) -> None:
        """Asks the sender to stop, and waits for that no longer than `timeout` seconds; not again
        where it has not stopped in time before."""
        self.request_stop(with_goodbye)
        if self._sender_ended.locked() and not self.sender.is_abandoned:
            if self._sender_ended.acquire(True, timeout):
                self._sender_ended.release()
            else:
                self.sender.is_abandoned = True
        self.log.flush(_LOG_TIMEOUT)

    def request_stop(self, with_goodbye: bool) -> None:
        """Asks the sender to stop."""
        if with_goodbye:
            self.sender.goodbye_requested = True
        else:
            self.sender.end_requested = True
        self.wake_sender()

    def add_problem(self, problem: Problem, *, log: bool = True) -> None:
        """Adds a problem to the status, and logs it, once for each kind."""
        if any(it.kind == problem.kind for it in self.sender.settings_problems):
            return
        self.sender.settings_problems.append(problem)
        if log:
            self.log.warn(problem)

    def status(self) -> Status:
        """Returns the status."""
        now = monotonic_ns()
        return Status(
            agent=self.agent,
            killed=self.gate.is_closed,
            kill_cause=self.gate.cause,
            collectors=self.sender.collectors(now),
            in_flight=len(self.activity.tasks),
            counted=Counted(*map(self.counters.total, range(LOST))),
            lost_observations=self.counters.total(LOST),
            last_failure=self.last_failure,
            problems=self.sender.problems(),
        )

    def abandon(self) -> None:
        """Closes this process's copies of the sender's sockets, after a fork."""
        if self.thread is not None:
            self.thread.close()
        if self.waker is not None:
            self.waker.abandon()

    # For the sender's thread

    def start_sender(self, thread: Sender) -> None:
        """Starts the sender's thread; raises RuntimeError where there can be none."""
        self.thread = thread
        self._sender_ended.acquire(False)
        try:
            start_thread(thread.run)
        except RuntimeError:
            self.mark_stopped()
            raise

    def mark_stopped(self) -> None:
        """Records that there is no sender any more."""
        self.sender.links = []
        if self._sender_ended.locked():
            self._sender_ended.release()

    def kill(self, cause: KillCause) -> None:
        """Stops the agent: closes the gate for new tasks, then calls the program's function."""
        self.gate.close(cause)
        if not self._is_killed:
            self._is_killed = True
            if self.on_kill is not None:
                self._hooks.call(self.on_kill)

    def resume(self, cause: KillCause) -> None:
        """Lets the agent go on, unless there is another cause to stop."""
        if self.gate.open(cause):
            self._is_killed = False

    def vitals(self, now: int) -> Vitals:
        """Returns the vitals for a beat."""
        activity = self.activity
        done = self.counters.done()
        if done != self._done:
            # The end of a task is dated by the task; this only ever dates it later.
            self._done = done
            activity.last_report = now
        in_flight = len(activity.tasks)
        phase, step = activity.phase_and_step(in_flight)
        oldest, progress = activity.quietest_task(), activity.progress_at()
        queue = activity.queue
        lag = self.loop_lag.worst()
        if lag >= _BLOCKED:
            # What waits in the loop is a backlog, and nothing of it goes on.
            blocked_at = now - lag
            queue, step = max(queue or 0, 1), step or _BLOCKED_STEP
            progress = blocked_at if progress is None else min(progress, blocked_at)
        return Vitals(
            phase=phase,
            in_flight=in_flight,
            oldest_in_flight=None if oldest is None else now - oldest,
            progress_age=None if progress is None else now - progress,
            queue=queue,
            step=step,
            lost_observations=self.counters.total(LOST),
        )
