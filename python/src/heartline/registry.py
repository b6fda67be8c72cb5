"""The handles of this process, in the order of their start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .handle import Heartline

handles: list[Heartline] = []


def say_goodbye() -> None:
    """Stops all emitters of this process at its end, with goodbyes that are said together."""
    for handle in list(handles):
        handle._lifecycle.request_stop()
    for handle in list(handles):
        handle._lifecycle.stop(with_goodbye=True, at_exit=True)


def fall_silent() -> None:
    """Stops all emitters of this process at its end, without goodbyes."""
    for handle in list(handles):
        handle._lifecycle.stop(with_goodbye=False, at_exit=True)
