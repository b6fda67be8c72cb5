"""Source of the token, and what it gives its agent."""

from __future__ import annotations

from typing import NamedTuple

from .problem import TOKEN_REASONS, Problem, reason
from .protocol.agent_id import scope_covers
from .protocol.keys import AgentKeys
from .protocol.refused import Refused
from .protocol.token import Token, read_token

# Longer than any token.
_LENGTH_MAX = 1_024


class Credentials(NamedTuple):
    """What a token gives its agent."""

    keys: AgentKeys
    fleet: str
    """Name of the fleet, to tell its files from those of others."""


class TokenSource(NamedTuple):
    """A token as text, or the path of a file that may be created later, and may change; neither where
    nothing is set and there is no default path."""

    text: str | None = None
    path: str | None = None

    def credentials(self, agent: str) -> Credentials | Problem:
        """Derives the credentials of an agent from the token as it is now."""
        token = self.token()
        if isinstance(token, Problem):
            return token
        if not scope_covers(token.scope, agent):
            return Problem(
                "out_of_scope",
                f'the token is for scope "{token.scope}", which does not cover agent "{agent}"; '
                f"make one with `heartline token --agent {agent}`",
            )
        return Credentials(token.agent_keys(agent), token.fleet)

    def token(self) -> Token | Problem:
        """Reads the token."""
        text = self.text
        if text is None:
            if self.path is None:
                return Problem(
                    "no_token_path",
                    "no token: set HEARTLINE_TOKEN or HEARTLINE_TOKEN_FILE (neither "
                    "XDG_STATE_HOME nor HOME is set)",
                )
            read = _read(self.path)
            if isinstance(read, Problem):
                return read
            text = read
        try:
            return read_token(text)
        except Refused as refused:
            return Problem("bad_token", TOKEN_REASONS[refused.reason])

    @property
    def may_change(self) -> bool:
        """Whether a later call may find another token."""
        return self.text is None and self.path is not None


def _read(path: str) -> str | Problem:
    try:
        with open(path, "rb") as file:
            return file.read(_LENGTH_MAX).decode("utf-8", "replace")
    except FileNotFoundError:
        return Problem(
            "no_token",
            f"no token at {path}: start heartlined as the same user, or set HEARTLINE_TOKEN",
        )
    except (OSError, ValueError) as error:
        return Problem("token_unreadable", f"can't read the token at {path}: {reason(error)}")
