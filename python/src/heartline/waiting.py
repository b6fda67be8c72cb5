"""Waits for something outside of the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .handle import Heartline


class Waiting:
    """A wait, as a context manager: `with` or `async with`."""

    __slots__ = ("_hb", "_name", "_waits")

    def __init__(self, hb: Heartline, name: str | None) -> None:
        self._hb = hb
        self._name = name
        self._waits: list[int] = []

    def __enter__(self) -> None:
        self._waits.append(self._hb.begin_waiting(self._name))

    def __exit__(self, *_: object) -> None:
        if self._waits:
            self._hb.end_waiting(self._waits.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
