"""State of a session with a collector."""

from __future__ import annotations

from enum import Enum


class Connection(Enum):
    """State of a session as the collector's newest answer shows it."""

    UNANSWERED = "no answer yet"
    """No answer was received yet."""
    UNCONFIRMED = "connecting"
    """The newest answer was to a message that was not live."""
    CONFIRMED = "live"
    """The newest answer was to a live message."""
