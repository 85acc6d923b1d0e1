"""Entities as tags of words: what the tag head learns, and how its logits become spans.

Tag 0 is O, `1 + 2 * label` is B-label, `2 + 2 * label` is I-label, labels counted as in the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pressgang.document import Entity
from pressgang.schema import Schema
from pressgang.text.encoding import EncodedText, Ints

Floats = npt.NDArray[np.float64]

_DECODED_WORDS = 4096
"""Words, padding counted, whose tags are decoded at once."""

IGNORED = -100
"""The target of padded words: no loss."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Entities of one document as word ranges.

    `start` and `end` (inclusive) words, `label` index and `score`, all `[n_spans]`.
    """

    start: Ints
    end: Ints
    label: Ints
    score: Floats

    def __len__(self) -> int:
        return len(self.start)

    def take(self, chosen: npt.NDArray[np.bool_] | Ints) -> Spans:
        """The chosen spans."""
        return Spans(self.start[chosen], self.end[chosen], self.label[chosen], self.score[chosen])

    def moved(self, by: int) -> Spans:
        """The same spans, `by` words later."""
        return Spans(self.start + by, self.end + by, self.label, self.score)

    def joined(self, others: Spans) -> Spans:
        """These spans and then the others."""
        return Spans(
            np.concatenate([self.start, others.start]),
            np.concatenate([self.end, others.end]),
            np.concatenate([self.label, others.label]),
            np.concatenate([self.score, others.score]),
        )

    @classmethod
    def none(cls) -> Spans:
        """No spans."""
        empty = np.zeros(0, dtype=np.int64)
        return cls(empty, empty, empty, np.zeros(0))


def spans_of(
    entities: Sequence[Entity], encoded: EncodedText, schema: Schema
) -> tuple[Spans, list[Entity]]:
    """Entities as word ranges, and for each span the entity that it stands for.

    An entity that does not begin and end on a word border, or whose label is not in the schema,
    has no span and is in neither; the caller counts it.
    """
    starts = {int(start): index for index, (start, _) in enumerate(encoded.words.tolist())}
    ends = {int(end): index for index, (_, end) in enumerate(encoded.words.tolist())}
    labels = {label: index for index, label in enumerate(schema.entity_labels)}
    kept = [e for e in entities if e.start in starts and e.end in ends and e.label in labels]
    columns = [(starts[e.start], ends[e.end], labels[e.label]) for e in kept]
    table = np.array(columns, dtype=np.int64).reshape(-1, 3)
    scores = np.array([1.0 if e.score is None else e.score for e in kept])
    return Spans(table[:, 0], table[:, 1], table[:, 2], scores), kept


def entity_of(spans: Spans, index: int, encoded: EncodedText, schema: Schema) -> Entity:
    """The entity at a span."""
    return Entity(
        int(encoded.words[spans.start[index], 0]),
        int(encoded.words[spans.end[index], 1]),
        schema.entity_labels[int(spans.label[index])],
        float(spans.score[index]),
    )


def tags_of(spans: Spans, sentences: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Tags `[n_words]` of spans over words in these sentences, and which spans they hold.

    Where spans overlap the longer wins, then the earlier. A span across sentences is not tagged,
    because sentences are decoded one by one.
    """
    tags = np.zeros(len(sentences), dtype=np.int64)
    is_tagged = np.zeros(len(spans), dtype=np.bool_)
    for index in np.lexsort((spans.start, spans.start - spans.end)).tolist():
        start, end = int(spans.start[index]), int(spans.end[index])
        if tags[start : end + 1].any() or sentences[start] != sentences[end]:
            continue
        tags[start] = 1 + 2 * spans.label[index]
        tags[start + 1 : end + 1] = 2 + 2 * spans.label[index]
        is_tagged[index] = True
    return tags, is_tagged


def log_softmax(logits: Floats) -> Floats:
    """Log probabilities along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def decode(log_probabilities: Floats, sentences: Ints) -> Spans:
    """The spans of the most probable legal tag sequence of each sentence.

    `log_probabilities` [n_words, n_tags] and `sentences` [n_words] belong to consecutive words of
    one text. I-x may only follow B-x or I-x (Viterbi under that constraint). A span's score is the
    product of the probabilities of its tags.
    """
    n_words = len(log_probabilities)
    if not n_words:
        return Spans.none()
    begins = np.diff(sentences, prepend=sentences[0] - 1) != 0
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, n_words))
    # Where the best tag of each word is legal, the best legal tags are these.
    tags = log_probabilities.argmax(axis=1)
    before = np.where(begins, 0, np.roll(tags, 1))
    is_inside = (tags > 0) & (tags % 2 == 0)
    illegal = is_inside & (before != tags) & (before != tags - 1)
    doubtful = np.unique(np.cumsum(begins)[illegal] - 1)
    # Sentences of similar length go together, so that padding never dominates.
    order = doubtful[np.argsort(lengths[doubtful], kind="stable")]
    for rows in _groups(order, lengths):
        longest = int(lengths[rows].max())
        steps = np.arange(longest)
        inside = steps < lengths[rows, None]
        word = np.minimum(starts[rows, None] + steps, n_words - 1)
        best = _viterbi(np.where(inside[..., None], log_probabilities[word], 0.0))
        tags[word[inside]] = best[inside]
    return _spans_of_tags(tags, log_probabilities)


def _groups(order: Ints, lengths: Ints) -> Iterator[Ints]:
    """Sentences in ascending order of length, so many at once as fit into a bounded table."""
    at = 0
    while at < len(order):
        end = at + 1
        while end < len(order) and (end + 1 - at) * lengths[order[end]] <= _DECODED_WORDS:
            end += 1
        yield order[at:end]
        at = end


def _viterbi(scores: Floats) -> Ints:
    """The best legal tags `[S, T]` for scores `[S, T, n_tags]`.

    Only I-x is constrained, so the best predecessor is one of two: the best of all tags, or for
    I-x the better of B-x and I-x. Padding after a sentence scores 0 everywhere, which leaves the
    path before it as it is because O may follow anything.
    """
    n_rows, n_steps, n_tags = scores.shape
    row = np.arange(n_rows)
    back = np.zeros((n_steps, n_rows, n_tags), dtype=np.int64)
    reached = scores[:, 0].copy()
    reached[:, 2::2] = -np.inf
    inside = np.arange(2, n_tags, 2)
    for step in range(1, n_steps):
        best = reached.argmax(axis=1)
        came_from = np.repeat(best[:, None], n_tags, axis=1)
        came_from[:, inside] = inside - (reached[:, inside - 1] > reached[:, inside])
        back[step] = came_from
        reached = np.take_along_axis(reached, came_from, axis=1) + scores[:, step]
    tags = np.zeros((n_rows, n_steps), dtype=np.int64)
    tags[:, -1] = reached.argmax(axis=1)
    for step in range(n_steps - 1, 0, -1):
        tags[:, step - 1] = back[step, row, tags[:, step]]
    return tags


def _spans_of_tags(tags: Ints, log_probabilities: Floats) -> Spans:
    """The spans of a legal tag sequence; every B- begins one, I- continues it."""
    start = np.flatnonzero(tags % 2 == 1)
    following = np.append(tags[1:], 0)
    end = np.flatnonzero((tags > 0) & ((following == 0) | (following % 2 == 1)))
    taken = np.take_along_axis(log_probabilities, tags[:, None], axis=1)[:, 0]
    total = np.append(0.0, np.cumsum(taken))
    score = np.exp(np.minimum(total[end + 1] - total[start], 0.0))
    return Spans(start, end, (tags[start] - 1) // 2, score)
