"""What a program asks an emitter for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Union

if TYPE_CHECKING:
    from datetime import timedelta

OnKill = Union[Literal["wait", "raise"], Callable[[], object]]
Duration = Union[str, int, float, "timedelta"]


class Arguments(NamedTuple):
    """Arguments of `heartline.start`, which describes them."""

    name: str
    collector: str | None = None
    token: str | os.PathLike[str] | None = None
    interval: Duration | None = None
    stall_after: Duration | None = None
    group: str | None = None
    version: str | None = None
    labels: Mapping[str, str] | None = None
    depends_on: Sequence[str] | None = None
    framework: str | None = None
    on_kill: OnKill = "wait"
    goodbye_on_signals: bool = True
