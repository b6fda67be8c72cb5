"""Adapters: what agent frameworks already know, made into tasks of this agent.

`heartline.auto()` follows those that the program uses. An adapter never raises into its framework,
except `AgentKilled` where the program asked for it.
"""

from __future__ import annotations

from .cost import CostFunction
from .usage import Usage

__all__ = ["CostFunction", "Usage"]
