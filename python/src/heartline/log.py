"""Warnings of the emitter, through `logging`, which no handler can turn against it or its agent."""

from __future__ import annotations

from .background import BackgroundCalls


class Log:
    """Logs on a thread of its own: a handler that hangs holds up no beat, and one that raises stops
    none."""

    __slots__ = ("_agent", "_calls")

    def __init__(self, agent: str) -> None:
        self._agent = agent
        # There is nowhere to report that reporting has failed.
        self._calls = BackgroundCalls(lambda _error: None)

    def warn(self, message: object) -> None:
        """Logs a warning soon."""
        text = f"{self._agent}: {message}"
        self._calls.call(lambda: _warn(text))

    def flush(self, timeout: float) -> None:
        """Waits until all has been logged, but not for longer than `timeout` seconds."""
        self._calls.wait(timeout)


def _warn(text: str) -> None:
    # Loaded for the first warning alone.
    import logging

    logging.getLogger("heartline").warning("%s", text)
