"""Refusals of what was received."""

from __future__ import annotations


class Refused(Exception):
    """A datagram, body, token or histogram that must not be taken.

    `reason` is the name that `SPEC.md` and the vectors give it; `step` is the check that failed
    (section 3), where there are several.
    """

    def __init__(self, reason: str, step: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.step = step
