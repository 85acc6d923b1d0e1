"""Spans of words as B-/I-/O tags and back, as `seqeval` reads them by default."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int, str]
"""First word, the one after the last, label."""


def to_tags(spans: Iterable[Span], n_words: int) -> list[str]:
    """A tag for each word: [(0, 2, "PERSON")] over 3 words gives B-PERSON, I-PERSON, O.

    Raises ValueError if two spans share a word.
    """
    tags = ["O"] * n_words
    for start, end, label in spans:
        if any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"span [{start}, {end}) of {label} overlaps another")
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return tags


def to_spans(tags: Sequence[str]) -> list[Span]:
    """The spans in tags, in order; an I- that continues nothing begins a span."""
    spans: list[Span] = []
    start = 0
    for end in range(1, len(tags) + 1):
        label = tags[start][2:]
        if end == len(tags) or tags[end] != f"I-{label}" or not label:
            spans += [(start, end, label)] if label else []
            start = end
    return spans
