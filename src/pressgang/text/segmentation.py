"""Where words and sentences begin and end, as character offsets into the untouched text."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

MAX_WORD_CHARACTERS = 64
"""Longer runs of word characters are cut: no annotated mention has such a word, and an encoder's
window could not hold one."""

# `U.S.` and `T.me` stay whole, `'s` is a word of its own, hyphens split, so that the border of
# every mention in `U.S.-led`, `Osh's` or `BBC-run` is a border of words.
_WORD = re.compile(
    r"(?:[^\W\d_]\.){2,}|['’][sS]\b|\w+(?:[.&'’](?![sS]\b)\w+)*|[^\w\s]",
)
_LINE_BREAK = re.compile(r"[\n\r\u2028\u2029]\s*")
_FULL_STOP = re.compile(r"(?<![.!?…])[.!?…]+[\"”’»)\]]*\s+(?=[\"“‘«(\[]*([^\W_]))")
_ABBREVIATION = re.compile(
    r"(?:\b[^\W\d_]|\b(?:Mr|Mrs|Ms|Dr|Prof|Gen|Lt|Col|Maj|Capt|Sgt|Sen|Gov|Rep|Rev|St|No|vs|v|approx"
    r"|[Aa]rt|Yu|Ya|Ye|Kh|Zh|Ch|Sh|Ts|Dzh"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec))\.$"
)


def words(text: str) -> npt.NDArray[np.int64]:
    """Character offsets `[n_words, 2]` of the words of a text, half-open, in order.

    A word is a run of letters and digits, an abbreviation with its full stops, a possessive `'s`,
    or one mark: "Osh’s U.S.-led" gives Osh, ’s, U.S., -, led. White space belongs to no word.
    """
    found = map(re.Match.span, _WORD.finditer(text))
    spans = np.array([*found], dtype=np.int64).reshape(-1, 2)
    n_pieces = -(-(spans[:, 1] - spans[:, 0]) // MAX_WORD_CHARACTERS)
    if n_pieces.max(initial=1) == 1:
        return spans
    start = np.repeat(spans[:, 0], n_pieces) + MAX_WORD_CHARACTERS * ranges(n_pieces)
    end = np.minimum(start + MAX_WORD_CHARACTERS, np.repeat(spans[:, 1], n_pieces))
    return np.stack([start, end], axis=1)


def ranges(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """0..n-1 for each length n, joined: [2, 3] gives [0, 1, 0, 1, 2]."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def sentence_starts(text: str) -> npt.NDArray[np.int64]:
    """Character offsets `[n_sentences]` at which the sentences of a text begin.

    Sentences tile the text: each ends where the next begins, and the first begins at 0. A line
    break ends a sentence unless the next line goes on in lower case (hard-wrapped text); so does
    a full stop before a capital or a digit, unless it closes an initial or an abbreviation.
    """
    starts = [0]
    for match in _LINE_BREAK.finditer(text):
        following = text[match.end() : match.end() + 1]
        wrapped = match.group().count("\n") == 1 and following.islower()
        if following and not wrapped:
            starts.append(match.end())
    starts += [
        match.end()
        for match in _FULL_STOP.finditer(text)
        if not match[1].islower()
        and not _ABBREVIATION.search(text, max(0, match.start() - 8), match.start() + 1)
    ]
    return np.unique(np.array(starts, dtype=np.int64))
