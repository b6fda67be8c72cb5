"""Free text: what of it is shown, and how much of it is sent (`SPEC.md`, section 8)."""

from __future__ import annotations

STEP_MAX = 64
TEXT_MAX = 128
LABEL_KEY_MAX = 32

DROPPED = (
    (0x034F, 0x034F), (0x180B, 0x180D), (0x180F, 0x180F), (0x200C, 0x200D), (0xFE00, 0xFE0F),
    (0xE0100, 0xE01EF),
)  # fmt: skip
REPLACED = (
    (0x0000, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE00FF), (0xE01F0, 0xE0FFF),
)  # fmt: skip

_REPLACEMENT = "\ufffd"


def scrub(text: str) -> str:
    """Returns a text without characters that could drive a terminal or forge a line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(filter(None, map(_scrubbed, text)))


def scrub_to(text: str, most: int) -> str:
    """Scrubs a text and cuts it to `most` bytes, at a character boundary."""
    # A character has at most 4 bytes, and one that is dropped counts for nothing.
    scrubbed = scrub(text[: 16 * most])
    raw = scrubbed.encode()
    return scrubbed if len(raw) <= most else raw[:most].decode(errors="ignore")


def _scrubbed(character: str) -> str | None:
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if any(first <= code <= last for first, last in DROPPED):
        return None
    # A lone surrogate is no Unicode scalar value, and has no encoding.
    if 0xD800 <= code < 0xE000 or any(first <= code <= last for first, last in REPLACED):
        return _REPLACEMENT
    return character
