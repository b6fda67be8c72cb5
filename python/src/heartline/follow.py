"""Entrance to the adapters of agent frameworks, which are loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .adapters.cost import CostFunction


def auto(*frameworks: str, cost: CostFunction | str | None = None) -> tuple[str, ...]:
    """Makes tasks of what agent frameworks do, without a line for each task. Never raises.

    A framework is followed from the moment at which the program imports it, or at once if it has.
    Nothing is imported here that the program does not import itself.

    - `frameworks`: `"opentelemetry"`, `"langchain"`, `"langgraph"`, `"openai-agents"`, `"pydantic-ai"`,
      `"crewai"`, `"autogen"`, `"celery"`; without any, all that are installed.
    - `cost`: what computes the cost of a model's response that comes without one: a function that takes
      a `heartline.adapters.Usage` and returns US dollars, or None for unknown; or `"genai-prices"` for
      the price table of that package.

    Returns the names of those that are followed.
    """
    from .adapters.auto import follow

    return follow(frameworks, cost)
