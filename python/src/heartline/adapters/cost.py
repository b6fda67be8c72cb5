"""What a response cost: as the provider reports it, as the user computes it, or unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Union

from .guard import report, warn_once
from .usage import Usage, as_usd

CostFunction = Callable[[Usage], Union[float, None]]
"""Returns the cost of a response in US dollars, or None where it is unknown."""

_function: CostFunction | None = None


def use_cost_function(cost: CostFunction | str | None) -> None:
    """Sets what computes a cost that no provider reports: a function, or "genai-prices"."""
    global _function
    if cost == "genai-prices":
        _function = _load_genai_prices()
    elif cost is None or callable(cost):
        _function = cost
    else:
        warn_once(
            f"cost={cost!r} is neither a function nor \"genai-prices\"; "
            "costs that no provider reports stay unknown"
        )
        _function = None


def cost_of(usage: Usage) -> float | None:
    """Returns the cost of a response in US dollars, or None where nobody knows it."""
    if usage.reported_usd is not None:
        return usage.reported_usd
    if _function is None:
        return None
    try:
        computed = _function(usage)
    except Exception as error:
        report("cost function", error)
        return None
    if computed is None:
        return None
    usd = as_usd(computed)
    if usd is None:
        warn_once(f"the cost function returned {computed!r} for {usage.model!r}, which is no cost")
    return usd


def _load_genai_prices() -> CostFunction | None:
    try:
        from .prices import genai_prices_cost
    except ImportError:
        warn_once(
            'cost="genai-prices" needs the package: `pip install "heartline[genai-prices]"`; '
            "costs that no provider reports stay unknown"
        )
        return None
    return genai_prices_cost
