"""Where a marked span lies in the text: at its offsets, or where older exports meant it to lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pressgang.label_studio.problems import ProblemKind


@dataclass(frozen=True, slots=True)
class Fit:
    """A span `[start, end)` in characters, and the repair that led to it, if any."""

    start: int
    end: int
    repair: ProblemKind | None


def fit(text: str, start: int, end: int, *, marked: str | None) -> Fit | None:
    """The span of `text` meant by the offsets, None if no reading of them gives the marked text.

    Tried in turn: characters, UTF-16 units, and both of them in the text with its CRLF and its
    runs of white space made one character. Without marked text the offsets stand as they are.
    The amount and kind of white space in `marked` does not count, as Label Studio rewrites it: a
    mention drawn over CRLF comes back with a backslash and an n for each of the two characters.

    `fit("😀 Ada", 3, 6, marked="Ada")` -> `Fit(2, 5, ProblemKind.UTF16_OFFSETS)`
    """
    is_inside = 0 <= start < end <= len(text)
    if not marked or (is_inside and _squeezed(text[start:end]) == _squeezed(marked)):
        return Fit(start, end, None) if is_inside else None
    for reading in _readings(text):
        if 0 <= start < end <= len(reading.starts):
            span = reading.starts[start], reading.ends[end - 1]
            if _squeezed(text[slice(*span)]) == _squeezed(marked):
                return Fit(*span, reading.repair)
    return None


@dataclass(frozen=True, slots=True)
class _Reading:
    """For each counted unit of a text the characters `[starts[i], ends[i])` that it stands for."""

    repair: ProblemKind
    starts: list[int]
    ends: list[int]


_CHARACTERS = re.compile(r".", re.DOTALL)
_LINES_KEPT = re.compile(r"\r\n|[^\S\r\n]+|.", re.DOTALL)
_LINES_JOINED = re.compile(r"\s+|.", re.DOTALL)
_WHITE_SPACE = re.compile(r"(?:\s|\\n)+")


@lru_cache(maxsize=4)
def _readings(text: str) -> tuple[_Reading, ...]:
    return (
        _reading(text, _CHARACTERS, ProblemKind.UTF16_OFFSETS, is_utf16=True),
        _reading(text, _LINES_KEPT, ProblemKind.WHITE_SPACE_OFFSETS, is_utf16=False),
        _reading(text, _LINES_KEPT, ProblemKind.WHITE_SPACE_OFFSETS, is_utf16=True),
        _reading(text, _LINES_JOINED, ProblemKind.WHITE_SPACE_OFFSETS, is_utf16=False),
        _reading(text, _LINES_JOINED, ProblemKind.WHITE_SPACE_OFFSETS, is_utf16=True),
    )


def _reading(text: str, unit: re.Pattern[str], repair: ProblemKind, *, is_utf16: bool) -> _Reading:
    starts: list[int] = []
    ends: list[int] = []
    for match in unit.finditer(text):
        width = 2 if is_utf16 and match.group() > "\uffff" else 1
        starts += [match.start()] * width
        ends += [match.end()] * width
    return _Reading(repair, starts, ends)


def _squeezed(text: str) -> str:
    return _WHITE_SPACE.sub(" ", text).strip()
