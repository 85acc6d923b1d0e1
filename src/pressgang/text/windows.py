"""A document of any length as windows that an encoder can read, and who owns which word."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from pressgang.config import WindowConfig
from pressgang.text.encoding import EncodedText


@dataclass(frozen=True, slots=True)
class Window:
    """A run of words of one document, half-open; the core is the part that the window owns.

    Every word of a document lies in the core of exactly one window, so merging is exact: a word's
    tag comes from the window that owns it, a pair's relations from the one that owns the later
    mention.
    """

    start_word: int
    end_word: int
    core_start: int
    core_end: int


def cut(
    encoded: EncodedText, config: WindowConfig, *, n_special: int = 2, first_core: int | None = None
) -> list[Window]:
    """The windows of a document, in order; none for a document without words.

    `n_special` tokens are kept free for the encoder's own marks. `first_core`, in tokens, makes the
    first core shorter, which moves all later borders: training uses it so that the same sentence
    is seen in different company.
    """
    if not len(encoded.words):
        return []
    pieces = _pieces(encoded, config.core_tokens)
    sizes = _n_tokens(encoded, pieces)
    windows, at, room = [], 0, first_core or config.core_tokens
    while at < len(pieces):
        end, used = at + 1, sizes[at]
        while end < len(pieces) and used + sizes[end] <= room:
            used += sizes[end]
            end += 1
        windows.append(_with_context(pieces, sizes, at, end, config, n_special))
        at, room = end, config.core_tokens
    return windows


def _pieces(encoded: EncodedText, limit: int) -> list[tuple[int, int]]:
    """Word ranges that a core never splits: sentences, cut where one exceeds the limit."""
    borders = np.flatnonzero(np.diff(encoded.sentences)) + 1
    edges = [0, *borders.tolist(), len(encoded.words)]
    pieces = []
    for start, end in itertools.pairwise(edges):
        at = start
        while encoded.last[end - 1] - encoded.first[at] >= limit and at < end - 1:
            full = int(np.searchsorted(encoded.last, encoded.first[at] + limit))
            pieces.append((at, max(at + 1, full)))
            at = pieces[-1][1]
        pieces.append((at, end))
    return pieces


def _n_tokens(encoded: EncodedText, pieces: list[tuple[int, int]]) -> list[int]:
    return [int(encoded.last[end - 1] - encoded.first[start] + 1) for start, end in pieces]


def _with_context(
    pieces: list[tuple[int, int]],
    sizes: list[int],
    at: int,
    end: int,
    config: WindowConfig,
    n_special: int,
) -> Window:
    """The window whose core is pieces `at` to `end`, widened by whole pieces on both sides."""
    room = config.tokens - n_special - sum(sizes[at:end])
    left, right = at, end
    while left > 0 and sizes[left - 1] <= room - config.right_tokens:
        left -= 1
        room -= sizes[left]
    while right < len(pieces) and sizes[right] <= room:
        room -= sizes[right]
        right += 1
    return Window(pieces[left][0], pieces[right - 1][1], pieces[at][0], pieces[end - 1][1])
