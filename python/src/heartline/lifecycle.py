"""Start, forks and end of one handle's emitter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ending
from .core import Core
from .counters import LAST_BUCKET, Shard
from .native import new_reentrant_lock, thread_local
from .problem import Problem
from .replicas import ReplicaPool

if TYPE_CHECKING:
    from .arguments import Arguments
    from .handle import Heartline
    from .status import Status


class Lifecycle:
    """What becomes of a handle: it runs, is pending in a forked child that does not use it yet, or is
    stopped."""

    __slots__ = (
        "_handle", "_lock", "_pool", "_says_late_work", "_is_starting", "arguments", "is_pending",
        "is_stopped",
    )  # fmt: skip

    def __init__(self, handle: Heartline, arguments: Arguments) -> None:
        self._handle = handle
        self.arguments = arguments
        self.is_pending = False
        self.is_stopped = False
        self._says_late_work = True
        self._lock = new_reentrant_lock()
        # Whether this process is about to become a replica.
        self._is_starting = False
        self._pool: ReplicaPool | None = None

    def start(self) -> None:
        """Starts the emitter, under its own name or, in a child of multiprocessing whose parent has
        it, that of a replica."""
        self._pool = ReplicaPool.of_parent_process(str(self.arguments.name))
        if self._pool is None:
            self._pool = ReplicaPool(str(self.arguments.name))
            self._launch(self.arguments)
        else:
            self._launch_replica(self._pool)
        self.arrange_end()

    def start_replica(self) -> Core:
        """Starts the emitter of a forked child, once."""
        with self._lock:
            if self._is_starting:
                # A signal handler, or a finalizer, that has interrupted this very start: it must not
                # wait for it. What it counts is lost.
                self._handle._core.gate.open()
            elif self.is_pending:
                self._is_starting = True
                try:
                    self._launch_replica(self._pool or ReplicaPool(str(self.arguments.name)))
                finally:
                    self._is_starting = False
                    self.is_pending = False
                self.arrange_end()
        return self._handle._core

    def claim_shard(self) -> Shard:
        """Returns the calling thread's shard of the counters, at its first use."""
        if self.is_pending:
            self.start_replica()
            if self._is_starting:
                return self._handle._core.counters.claim_shard()
        if self.is_stopped:
            return self._late_shard()
        self.arrange_end()
        return self._handle._core.counters.claim_shard()

    def arrange_end(self) -> None:
        """Arranges for the goodbye at the end of the process; at signals, if that is wanted and this is
        the thread in which it can be arranged. A later call from the main thread makes up for it."""
        from . import signals

        ending.arrange()
        core = self._handle._core
        if self.arguments.goodbye_on_signals and core.waker is not None and not self.is_stopped:
            problem = signals.install()
            core.sender.signal_problem = problem

    def status(self) -> Status:
        """Returns the status."""
        status = self._handle._core.status()
        if self.is_pending:
            problem = Problem(
                "pending",
                "this process was forked from the one that started the emitter: it becomes a replica "
                "of the agent when it begins a task or reports something",
            )
            status.problems.append(problem)
        elif self.is_stopped:
            status.problems.append(Problem("stopped", "the emitter was stopped: nothing is sent"))
        return status

    def request_stop(self) -> None:
        """Begins to stop, with a goodbye."""
        if not self.is_pending and not self.is_stopped:
            self._handle._core.request_stop(with_goodbye=True)

    def stop(self, *, with_goodbye: bool, at_exit: bool = False) -> None:
        """Stops the emitter; a second call waits for the first."""
        if not self.is_stopped:
            was_pending, self.is_pending = self.is_pending, False
            self.is_stopped = True
            self._says_late_work = not at_exit
            # What is reported from here on is not counted: threads have to ask for a shard again.
            self._handle._local = thread_local()
            if was_pending:
                return
        self._handle._core.stop(with_goodbye)

    def become_pending(self) -> None:
        """Leaves the parent's session, in a forked child."""
        self._lock = new_reentrant_lock()
        self._is_starting = False
        if self.is_stopped:
            return
        parent = self._handle._core
        parent.abandon()
        core = Core(parent.agent, parent.on_kill)
        # Tasks ask at the gate, and so start the emitter first.
        core.gate.close()
        self.is_pending = True
        self._use(core)

    def before_fork(self) -> None:
        """Makes sure that a child can become a replica."""
        if self._pool is not None and not self.is_stopped:
            self._pool.open()

    def _launch_replica(self, pool: ReplicaPool) -> None:
        arguments = self.arguments
        root = str(arguments.name)
        name = pool.claim()
        replica = arguments._replace(name=name, group=arguments.group or root)
        self._launch(replica)

    def _launch(self, arguments: Arguments) -> None:
        # Loaded where an emitter is started, and not where the package is imported.
        from .launch import launch

        self._use(launch(arguments))

    def _use(self, core: Core) -> None:
        self._handle._core = core
        self._handle._local = core.counters.local

    def _late_shard(self) -> Shard:
        """Returns a shard that nobody reads, and says so once."""
        if self._says_late_work:
            self._says_late_work = False
            self._handle._core.add_problem(
                Problem(
                    "used_after_stop",
                    "the emitter was stopped: work that is reported now is not counted; start it "
                    "again with heartline.start()",
                )
            )
        shard: Shard = [0] * (LAST_BUCKET + 1)
        self._handle._local.shard = shard
        return shard
