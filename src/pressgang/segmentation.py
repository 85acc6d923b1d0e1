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
    spans: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        while end - start > MAX_WORD_CHARACTERS:
            spans.append((start, start + MAX_WORD_CHARACTERS))
            start += MAX_WORD_CHARACTERS
        spans.append((start, end))
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


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
