"""Results of checks."""

from __future__ import annotations

from typing import NamedTuple


class Diagnostic(NamedTuple):
    """The result of one check: a problem if there is advice."""

    what: str
    advice: str | None = None
    is_note: bool = False

    def __str__(self) -> str:
        if self.advice is not None:
            return f"✗ {self.what}\n    {self.advice}"
        return f"{'!' if self.is_note else '✓'} {self.what}"
