"""The point at which a budget is used up, in an emitter's own count (`SPEC.md`, section 12.1)."""

from __future__ import annotations

from typing import NamedTuple

from ..protocol.bodies import BudgetUnit


class SpendingLimit(NamedTuple):
    """Limit to what an emitter may count of one unit, since its first segment, before it starts no new
    task."""

    unit: BudgetUnit
    total: int
    """The sum at which nothing is left."""


def amount(unit: BudgetUnit, ok: int, failed: int, cost: int, tokens_in: int, tokens_out: int) -> int:
    """Returns the amount of a unit in some work."""
    if unit is BudgetUnit.TASKS:
        return ok + failed
    return cost if unit is BudgetUnit.COST else tokens_in + tokens_out
