"""Keys derived from a scope key, and tags (`SPEC.md`, sections 3 and 4)."""

from __future__ import annotations

from .digest import Hmac, hkdf

UP = 0
DOWN = 1


def scope_key(master: bytes, epoch: int, scope: str) -> bytes:
    """Derives the key of a scope from a master key."""
    return hkdf(b"heartline/1 scope", master, bytes([epoch]) + scope.encode())


def agent_key(key: bytes, direction: int, agent: str) -> bytes:
    """Derives an agent's key for one direction from a scope key."""
    return hkdf(b"heartline/1 agent", key, bytes([direction]) + agent.encode())


class AgentKeys:
    """Both keys of one agent, with the epoch and the scope that its messages name."""

    __slots__ = ("down", "epoch", "scope_length", "up")

    def __init__(self, epoch: int, scope: str, key: bytes, agent: str) -> None:
        self.epoch = epoch
        self.scope_length = len(scope)
        self.up = Hmac(agent_key(key, UP, agent))
        self.down = Hmac(agent_key(key, DOWN, agent))
