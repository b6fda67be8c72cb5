"""Costs from the price table of the `genai-prices` package."""

from __future__ import annotations

import time
from typing import NamedTuple

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from .usage import Usage

_MODELS_MAX = 1024
_TTL_SECONDS = 3600.0  # some prices depend on the time of day
_MILLION = 1_000_000


class _Rates(NamedTuple):
    """Dollars per token of a model whose prices are the same for every length of a prompt."""

    read: float
    cached: float
    written: float


_rates: dict[tuple[str, str | None], tuple[float, _Rates | bool]] = {}


def genai_prices_cost(usage: Usage) -> float | None:
    """Returns what the table says a response cost; None for an unknown model or unknown tokens.

    One look-up takes more than 100 µs, so what it found is kept for each model for an hour.
    """
    if usage.model is None or usage.tokens_in is None or usage.tokens_out is None:
        return None
    key = (usage.model, usage.provider)
    now = time.monotonic()
    found = _rates.get(key)
    if found is None or now - found[0] > _TTL_SECONDS:
        if len(_rates) >= _MODELS_MAX:
            _rates.clear()
        found = _rates[key] = (now, _look_up(*key))
    rates = found[1]
    if isinstance(rates, bool):
        if not rates:
            return None
        return _price(usage.model, usage.provider, usage.tokens_in, usage.tokens_cached or 0,
                      usage.tokens_out)
    cached = min(usage.tokens_cached or 0, usage.tokens_in)
    return (
        rates.read * (usage.tokens_in - cached)
        + rates.cached * cached
        + rates.written * usage.tokens_out
    )


def _look_up(model: str, provider: str | None) -> _Rates | bool:
    """Returns the rates; False for an unknown model, True for prices with steps in them."""

    def rate(read: int, cached: int, written: int) -> float | None:
        price = _price(model, provider, read, cached, written)
        return None if price is None else price / max(read, written)

    few, many = 1000, 10 * _MILLION
    rates = [
        (rate(few, 0, 0), rate(many, 0, 0)),
        (rate(few, few, 0), rate(many, many, 0)),
        (rate(0, 0, few), rate(0, 0, many)),
    ]
    flat: list[float] = []
    for short, long in rates:
        if short is None or long is None:
            return False
        if abs(short - long) > 1e-6 * max(short, long):
            return True
        flat.append(long)
    return _Rates(*flat)


def _price(model: str, provider: str | None, read: int, cached: int, written: int) -> float | None:
    usage = PricedUsage(
        input_tokens=read, cache_read_tokens=cached or None, output_tokens=written
    )
    try:
        return float(calc_price(usage, model_ref=model, provider_id=provider).total_price)
    except LookupError:
        return None
