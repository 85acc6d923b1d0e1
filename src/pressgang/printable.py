"""Text from files, made safe to print on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that could steer a terminal written as an escape.

    An ESC becomes the four characters backslash, x, 1, b; line breaks stay.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )
