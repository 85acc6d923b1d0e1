"""Windows and spans as padded arrays: what the model reads, in training and in prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pressgang.text.encoding import EncodedText, Ints, TextEncoder
from pressgang.text.pairing import Bools, Pairs, candidates, sentence_distance
from pressgang.text.tagging import Spans
from pressgang.text.windows import Window


@dataclass(frozen=True, slots=True)
class View:
    """A document seen through one window."""

    encoded: EncodedText
    window: Window

    @property
    def start_token(self) -> int:
        """The document's token at which the window begins."""
        return int(self.encoded.first[self.window.start_word])

    @property
    def end_token(self) -> int:
        """The document's token before which the window ends."""
        return int(self.encoded.last[self.window.end_word - 1]) + 1

    @property
    def n_tokens(self) -> int:
        """The window's tokens, without special ones."""
        return self.end_token - self.start_token


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """B windows, T tokens, W words, padded on the right.

    `tokens`, `shapes` and `mask` [B, T]; `first` [B, W], the first token of each word.
    """

    tokens: Ints
    shapes: Ints
    mask: Ints
    first: Ints


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """S spans and P ordered pairs of them in a batch of windows.

    `window`, `first`, `last` and `label` [S]: which window, first and last token (inclusive),
    label index. `head` and `tail` [P]: positions among the spans. `distance` [P]: sentences apart.
    `grid` [B, N]: the positions of each window's spans, padded with 0; `place` [S]: each span's
    column there.
    """

    window: Ints
    first: Ints
    last: Ints
    label: Ints
    head: Ints
    tail: Ints
    distance: Ints
    grid: Ints
    place: Ints


def window_batch(views: Sequence[View], text_encoder: TextEncoder) -> WindowBatch:
    """The windows as one padded batch, framed by the encoder's special tokens."""
    n_before, n_after = len(text_encoder.prefix), len(text_encoder.suffix)
    width = n_before + n_after + max(view.n_tokens for view in views)
    n_words = max(view.window.end_word - view.window.start_word for view in views)
    tokens = np.zeros((len(views), width), dtype=np.int64)
    shapes, mask = np.zeros_like(tokens), np.zeros_like(tokens)
    first = np.zeros((len(views), n_words), dtype=np.int64)
    for row, view in enumerate(views):
        encoded, window = view.encoded, view.window
        inside = slice(view.start_token, view.end_token)
        end = n_before + view.n_tokens
        tokens[row, :n_before] = text_encoder.prefix
        tokens[row, n_before:end] = encoded.tokens[inside]
        tokens[row, end : end + n_after] = text_encoder.suffix
        shapes[row, n_before:end] = encoded.shapes[inside]
        mask[row, : end + n_after] = 1
        starts = encoded.first[window.start_word : window.end_word]
        first[row, : len(starts)] = starts - view.start_token + n_before
    return WindowBatch(tokens, shapes, mask, first)


def span_batch(
    views: Sequence[View],
    spans: Sequence[Spans],
    legal: Bools,
    text_encoder: TextEncoder,
    *,
    owned_only: bool,
    sentences_apart: int | None = None,
) -> SpanBatch:
    """All spans of all windows, and the candidate pairs among them.

    `spans` holds, for each window, spans of its document that lie within it. With `owned_only`
    the pairs are those whose later span begins in the window's core: each pair of a document then
    belongs to one window. Pairs more than `sentences_apart` sentences apart are left out.
    """
    n_spans = np.array([len(s) for s in spans])
    row = np.repeat(np.arange(len(views)), n_spans)
    start, end, label = (
        np.concatenate([getattr(s, name) for s in spans]) for name in ("start", "end", "label")
    )
    pairs = candidates(row, start, end, label, legal)
    if owned_only:
        core = np.array([(view.window.core_start, view.window.core_end) for view in views])
        later = np.maximum(start[pairs.head], start[pairs.tail])
        inside = core[row[pairs.head]]
        owned = (inside[:, 0] <= later) & (later < inside[:, 1])
        pairs = Pairs(pairs.head[owned], pairs.tail[owned])
    encoded = [view.encoded for view in views]
    sentence = _gather([e.sentences for e in encoded], spans, "start")
    if sentences_apart is not None:
        near = np.abs(sentence[pairs.head] - sentence[pairs.tail]) <= sentences_apart
        pairs = Pairs(pairs.head[near], pairs.tail[near])
    grid, place = _grid(row, n_spans)
    shift = len(text_encoder.prefix) - np.array([view.start_token for view in views])
    return SpanBatch(
        row,
        _gather([e.first for e in encoded], spans, "start") + np.repeat(shift, n_spans),
        _gather([e.last for e in encoded], spans, "end") + np.repeat(shift, n_spans),
        label,
        pairs.head,
        pairs.tail,
        sentence_distance(sentence, pairs),
        grid,
        place,
    )


def _grid(row: Ints, n_spans: Ints) -> tuple[Ints, Ints]:
    """Rows of spans as a padded table: positions `[B, N]`, and the column `[S]` of each span.

    Two windows with 2 and 1 spans: [[0, 1], [2, 0]] and [0, 1, 0].
    """
    position = np.arange(len(row))
    place = position - (np.cumsum(n_spans) - n_spans)[row]
    grid = np.zeros((len(n_spans), int(n_spans.max(initial=0))), dtype=np.int64)
    grid[row, place] = position
    return grid, place


def _gather(columns: Sequence[Ints], spans: Sequence[Spans], word: str) -> Ints:
    """For each span the entry of its document's column at one of its words."""
    return np.concatenate(
        [column[getattr(s, word)] for column, s in zip(columns, spans, strict=True)]
    )
