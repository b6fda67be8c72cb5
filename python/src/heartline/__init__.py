"""Heartbeats for Python agents.

Three lines make a program an agent that Heartline watches: it sends heartbeats, its work is counted
exactly once, and an operator can kill and resume it::

    import heartline

    hb = heartline.start("order-processor")
    while True:
        with hb.task() as t:            # counts, times, waits while killed
            result = process(next_order())
            t.cost(usd=result.cost)

On the machine of the collector nothing needs to be set. Elsewhere `HEARTLINE_COLLECTOR` and
`HEARTLINE_TOKEN` (or `HEARTLINE_TOKEN_FILE`) configure it, or the arguments of `start`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from . import process
from .arguments import Arguments, Duration, OnKill
from .follow import auto
from .gate import KillCause
from .handle import Heartline
from .problem import Problem
from .process import current
from .status import CollectorStatus, Counted, Status
from .task import AgentKilled, Task
from .version import VERSION as __version__

__all__ = [
    "AgentKilled",
    "CollectorStatus",
    "Counted",
    "Heartline",
    "KillCause",
    "Problem",
    "Status",
    "Task",
    "__version__",
    "auto",
    "current",
    "start",
]


def start(
    name: str,
    *,
    collector: str | None = None,
    token: str | os.PathLike[str] | None = None,
    interval: Duration | None = None,
    stall_after: Duration | None = None,
    group: str | None = None,
    version: str | None = None,
    labels: Mapping[str, str] | None = None,
    depends_on: Sequence[str] | None = None,
    framework: str | None = None,
    on_kill: OnKill = "wait",
    goodbye_on_signals: bool = True,
) -> Heartline:
    """Starts the emitter of an agent, and returns its handle. Never raises, and never waits for the
    network: what is wrong is in `Heartline.status()`, and is logged once. A second start of the same
    name in one process returns the running handle.

    What is not given comes from the environment (`HEARTLINE_COLLECTOR`, `HEARTLINE_TOKEN` or
    `HEARTLINE_TOKEN_FILE`, `HEARTLINE_INTERVAL`, `HEARTLINE_STATE_DIR`, `HEARTLINE_DISABLE`), then from
    the defaults, for a collector of the same user on the same machine.

    - `name`: 1 to 63 of `a-z 0-9 . _ -`. Each process has a name of its own; forked children take
      `NAME.1`, `NAME.2` and so on by themselves.
    - `collector`: `host:port` or `[v6]:port`; of several, with commas between them.
    - `token`: the token (`hl1.…`), or the path of a file with it as a `pathlib.Path`.
    - `interval`: time between beats, as text (`"30s"`, `"500ms"`), in seconds, or as a `timedelta`.
    - `stall_after`: time without progress after which the agent counts as stalled, in the same forms
      (`"20m"`); otherwise the collector's setting, 5 minutes by default.
    - `group`, `version`, `framework`, `labels` (at most 16), `depends_on` (agents that this one needs, at
      most 16): shown to operators, to filter and group by.
    - `on_kill`: what an operator's kill does: `"wait"` lets the next task wait for the resume, `"raise"`
      lets its start raise `AgentKilled`; a function is called, on a thread of its own, and tasks wait.
    - `goodbye_on_signals`: says goodbye at SIGTERM and SIGINT where the program does not handle them.
    """
    return process.start(
        Arguments(
            name=name,
            collector=collector,
            token=token,
            interval=interval,
            stall_after=stall_after,
            group=group,
            version=version,
            labels=labels,
            depends_on=depends_on,
            framework=framework,
            on_kill=on_kill,
            goodbye_on_signals=goodbye_on_signals,
        )
    )
