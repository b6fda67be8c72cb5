"""The sender's thread."""

from __future__ import annotations

import sys
from time import monotonic_ns
from typing import TYPE_CHECKING

from .. import signals
from ..credentials import Credentials
from ..engine.applied import AppliedStates
from ..engine.engine import EngineConfig
from ..engine.schedule import MS, SECOND
from ..gate import KillCause
from ..native import new_poll
from ..problem import Problem
from ..settings import Settings
from .link import CollectorLink, draw_session
from .watchdog import Alarm

if TYPE_CHECKING:
    from ..core import Core

# Period at which a missing or invalid token is read again.
_TOKEN_RETRY = SECOND
_POLLIN = 1
# Longest wait in one go: a poll takes no longer time-outs.
_WAIT_MAX_MS = 3_600_000


class Sender:
    """Everything that the sender's thread owns."""

    def __init__(
        self,
        core: Core,
        settings: Settings,
        applied: AppliedStates,
        credentials: Credentials | Problem,
    ) -> None:
        now = monotonic_ns()
        interval = settings.interval_ms * MS
        self._core = core
        self._settings = settings
        # The desired states applied, of all collectors.
        self._applied = applied
        # None until there is a token.
        self._credentials: Credentials | None = None
        self._token_retry_at = now + _TOKEN_RETRY
        # Killed, with tasks still in flight.
        self._is_draining = applied.is_killed
        # A budget is used up, and that was reported.
        self._is_spent = False
        self._links = [CollectorLink(it, interval, core) for it in settings.collectors]
        self._start_sessions(credentials, now)

    def run(self) -> None:
        """Runs until the agent stops it. An exception, which would be a bug of this package, ends the
        emitter and not the agent."""
        try:
            while self._turn():
                pass
        except BaseException as error:
            if not sys.is_finalizing():
                self._core.add_problem(
                    Problem(
                        "sender_failed",
                        f"the emitter has failed ({type(error).__name__}: {error}): nothing is sent "
                        "any more; please report this",
                    )
                )
        finally:
            self.close()
            if self._core.waker is not None:
                self._core.waker.close()
            self._core.mark_stopped()

    def close(self) -> None:
        """Closes all sockets."""
        for link in self._links:
            link.close()

    def _turn(self) -> bool:
        """Receives, sends, checks for problems, and waits; returns whether there is another turn."""
        now = monotonic_ns()
        state, links = self._core.sender, self._links
        if self._credentials is None and now >= self._token_retry_at:
            self._retry_token(now)
        for link in links:
            link.set_other_controls(frozenset(it.control for it in links) - {0})
            if link.receive(now):
                self._apply_states_of(link, now)
        self._apply_budgets(now)
        is_stopping = state.goodbye_requested or state.end_requested
        if state.end_requested:
            return False
        if is_stopping:
            for link in links:
                link.say_goodbye(now)
        if self._is_draining and not self._core.activity.tasks:
            self._is_draining = False
            for link in links:
                link.notify_change(now)
        for link in links:
            link.transmit(now)
        self._check_answers(now)
        due = min(filter(None, (link.poll_timeout() for link in links)), default=None)
        if due is None:
            if self._credentials is not None or is_stopping:
                return False
            due = self._token_retry_at
        self._wait(due)
        return True

    def _wait(self, due: int) -> None:
        """Waits until a datagram is received, the waker is used, or it is time."""
        waker = self._core.waker
        if waker is None:
            return
        poll = new_poll()
        sockets = (link.fileno() for link in self._links)
        for fd in (waker.fileno(), signals.notes_fd(), *sockets):
            if fd is not None:
                poll.register(fd, _POLLIN)
        # Rounded up: a wait that ends early is another turn without anything to do.
        timeout_ms = -(-(due - monotonic_ns()) // MS)
        if timeout_ms > 0:
            try:
                poll.poll(min(timeout_ms, _WAIT_MAX_MS))
            except OSError:
                pass  # One more turn.
        waker.drain()
        signals.handle_notes()

    def _retry_token(self, now: int) -> None:
        self._token_retry_at = now + _TOKEN_RETRY
        credentials = self._settings.token.credentials(self._settings.agent)
        if isinstance(credentials, Credentials) and self._settings.memory is not None:
            # The fleet is known now: until then the states of all fleets counted.
            self._applied, problems = self._settings.memory.read(credentials.fleet)
            self._core.sender.memory_problems = problems
            self._apply_states()
        self._start_sessions(credentials, now)

    def _start_sessions(self, credentials: Credentials | Problem, now: int) -> None:
        """Starts a session with each collector, once there are keys for it."""
        state = self._core.sender
        before, state.token_problem = state.token_problem, None
        if isinstance(credentials, Problem):
            state.token_problem = credentials
            # A collector that starts after its agents is nothing to log.
            if credentials.kind != "no_token" and credentials != before:
                self._core.log.warn(credentials)
        else:
            self._credentials = credentials
            for link in self._links:
                link.start_session(
                    EngineConfig(
                        agent=self._settings.agent,
                        keys=credentials.keys,
                        session=draw_session(),
                        interval_ms=self._settings.interval_ms,
                        stall_after_ms=self._settings.stall_after_ms,
                        identity=self._settings.identity,
                        applied=self._applied,
                    ),
                    now,
                )
        self._publish()

    def _apply_states_of(self, changed: CollectorLink, now: int) -> None:
        """Applies what one collector has changed: at once for the agent, and on disk before any beat
        reports it, to this collector and to the others."""
        applied = changed.applied
        if applied is None:
            return
        was_killed = self._applied.is_killed
        self._applied = applied.copy()
        for link in self._links:
            link.set_applied(self._applied, now)
        if was_killed and not self._applied.is_killed:
            # Who is let go on may start a process, which must not find the kill, and waits for no disk.
            self._remove_stored_states()
        self._apply_states()
        self._store_states()

    def _apply_budgets(self, now: int) -> None:
        """Applies what is left of the budgets, and reports at once when nothing is."""
        limits = (link.spending_limit for link in self._links)
        self._core.limits = tuple(limit for limit in limits if limit is not None)
        was_spent, self._is_spent = self._is_spent, self._core.is_spent()
        if not self._is_spent:
            self._core.resume(KillCause.BUDGET)
            return
        self._core.kill(KillCause.BUDGET)
        if not was_spent:
            for link in self._links:
                link.notify_change(now)

    def _remove_stored_states(self) -> None:
        if self._settings.memory is not None and self._credentials is not None:
            self._settings.memory.remove(self._credentials.fleet)

    def _apply_states(self) -> None:
        self._is_draining = self._applied.is_killed
        if self._is_draining:
            self._core.kill(KillCause.COMMAND)
        else:
            self._core.resume(KillCause.COMMAND)

    def _store_states(self) -> None:
        if self._settings.memory is None or self._credentials is None:
            return
        problem = self._settings.memory.write(self._credentials.fleet, self._applied)
        if problem is not None and problem not in self._core.sender.memory_problems:
            self._core.log.warn(problem)
        self._core.sender.memory_problems = [] if problem is None else [problem]

    def _check_answers(self, now: int) -> None:
        """Updates the status; where answers are missing, logs it once and reads the token again."""
        alarms = [link.check_answers(now) for link in self._links]
        self._publish()
        if Alarm.FIRST in alarms:
            self._core.log.warn("; ".join(map(str, self._core.sender.problems())))
        if any(alarm is not Alarm.NONE for alarm in alarms):
            self._renew_keys()

    def _renew_keys(self) -> None:
        """Reads the token again: the collector may have been set up anew, with other keys."""
        if self._credentials is None or not self._settings.token.may_change:
            return
        new = self._settings.token.credentials(self._settings.agent)
        if isinstance(new, Problem):
            return
        for link in self._links:
            link.rekey(new.keys)
        before, self._credentials = self._credentials, new
        if before.fleet != new.fleet:
            self._store_states()

    def _publish(self) -> None:
        self._core.sender.links = [link.status() for link in self._links]
