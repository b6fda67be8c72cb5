"""Agent ids and scopes (`SPEC.md`, section 2)."""

from __future__ import annotations

AGENT_ID_MAX = 63

_ALPHABET = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")


def agent_id_fault(text: str) -> str | None:
    """Returns why a text is no agent id; None if it is one."""
    raw = text.encode(errors="surrogatepass")
    if not raw:
        return f"an agent id must not be empty; use 1 to {AGENT_ID_MAX} of a-z 0-9 . _ -"
    if len(raw) > AGENT_ID_MAX:
        return f"an agent id has at most {AGENT_ID_MAX} bytes, this one has {len(raw)}"
    for at, byte in enumerate(raw, 1):
        if byte not in _ALPHABET:
            return f"byte {at} of the agent id ({byte:#04x}) is not one of a-z 0-9 . _ -"
    if text[0] in "-.":
        return f"an agent id must not start with `{text[0]}`; let it begin with one of a-z 0-9 _"
    return None


def is_agent_id(text: str) -> bool:
    """Returns whether a text is an agent id."""
    return agent_id_fault(text) is None


def scope_covers(scope: str, agent: str) -> bool:
    """Returns whether a scope covers an agent id."""
    return agent.startswith(scope) and (scope in ("", agent) or scope.endswith("."))
