"""What one model call used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast


class Usage(NamedTuple):
    """Tokens and cost of one response of a model. None means unknown, which is not zero."""

    model: str | None = None
    provider: str | None = None
    tokens_in: int | None = None
    """All tokens that the model read, cached ones included."""
    tokens_out: int | None = None
    tokens_cached: int | None = None
    """Those of `tokens_in` that were read from a cache."""
    reported_usd: float | None = None
    """The cost, where the provider reports it."""
    response_id: str | None = None
    at: float | None = None
    """When the response was complete, by `time.monotonic`; None: just now."""

    @property
    def is_known(self) -> bool:
        """Says whether there is anything to count."""
        return not (self.tokens_in is None and self.tokens_out is None and self.reported_usd is None)


def as_count(value: Any) -> int | None:
    """Returns a number of tokens, or None for anything that is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value < 2**53:  # NaN compares false
        return None
    return int(value)


def as_usd(value: Any) -> float | None:
    """Returns a cost in US dollars, or None for anything that is none."""
    try:
        usd = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return usd if 0 <= usd < float("inf") else None


def as_text(value: Any) -> str | None:
    """Returns a text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Returns a mapping; an empty one for anything that is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
