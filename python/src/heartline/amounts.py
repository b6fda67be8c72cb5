"""Checks of the amounts that a program reports: costs, tokens, latencies."""

from __future__ import annotations

from typing import Any

from .problem import Problem, quoted
from .protocol.buckets import COUNT_MAX

_WORDS = {
    "latency": "a latency in milliseconds",
    "cost": "a cost in US dollars",
    "tokens": "a number of tokens",
    "queue": "the length of the backlog",
}


def nano_usd(usd: Any) -> int | None:
    """Returns a cost in billionths of a US dollar; None for what is none."""
    try:
        amount = float(usd)
        nano = round(amount * 1e9)
    except Exception:  # Of whatever type it is.
        return None
    return nano if amount >= 0 and nano < COUNT_MAX else None


def count(value: Any) -> int | None:
    """Returns a whole number that is not negative; None for what is none."""
    try:
        number = int(value)
        is_whole = bool(number == value)
    except Exception:  # Of whatever type it is.
        return None
    return number if is_whole and 0 <= number <= COUNT_MAX else None


def rejected(what: str, value: object) -> Problem:
    """Returns the problem of a value that was not counted."""
    return Problem(
        f"bad_{what}",
        f"{quoted(value)} can't be {_WORDS[what]}: it is not counted (the rest of the report is)",
    )
