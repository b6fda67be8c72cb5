"""Problems of an emitter."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """A problem of an emitter. None reaches the agent as an exception: they are in
    `Heartline.status().problems`, and are logged once."""

    kind: str
    """Its name, such as `no_token`, for programs."""
    text: str
    """What is wrong and what to do."""

    def __str__(self) -> str:
        return self.text


TOKEN_REASONS = {
    "NotAToken": 'a token starts with "hl1."; make one with `heartline token`',
    "Damaged": "the token is damaged (cut off or mistyped); copy it again from `heartline token`",
    "BadScope": "the token's scope is not valid; make another with `heartline token`",
}


def reason(error: BaseException) -> str:
    """Returns why an operation failed, in the system's words where there are any."""
    text = getattr(error, "strerror", None) or str(error)
    return str(text) or type(error).__name__


def quoted(text: object) -> str:
    """Returns a text of the program's as it can be shown: on one line, and not too long."""
    shown = ascii(text) if isinstance(text, str) else ascii(str(text))
    shown = '"' + shown[1:-1].replace("\\'", "'") + '"'
    return shown if len(shown) <= 100 else shown[:97] + '…"'
