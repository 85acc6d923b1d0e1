"""Relations as labelled pairs of spans: which pairs are asked about, and what an answer means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pressgang.schema import Schema
from pressgang.text.encoding import Ints

Bools = npt.NDArray[np.bool_]

N_SENTENCE_DISTANCES = 5
"""Pairs lie 0, 1, 2, 3, or 4 and more sentences apart."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Ordered pairs of spans: positions `head` and `tail` [n_pairs] in a list of spans."""

    head: Ints
    tail: Ints

    def __len__(self) -> int:
        return len(self.head)


def allowed(schema: Schema) -> Bools:
    """`[n_labels, n_labels, n_relations]`: whether labels may be so related."""
    entity = {label: index for index, label in enumerate(schema.entity_labels)}
    relation = {label: index for index, label in enumerate(schema.relation_labels)}
    mask = np.zeros((len(entity), len(entity), len(relation)), dtype=np.bool_)
    for head, name, tail in schema.triples:
        mask[entity[head], entity[tail], relation[name]] = True
    return mask


def has_relation(mask: Bools) -> Bools:
    """`[n_labels, n_labels]`: whether any relation is allowed."""
    result: Bools = np.any(mask, axis=-1)
    return result


def candidates(row: Ints, start: Ints, end: Ints, label: Ints, legal: Bools) -> Pairs:
    """The ordered pairs that may hold a relation, by head, then tail.

    A pair's spans lie in the same window (`row` [n_spans], ascending), share no word (`start` and
    `end` [n_spans], inclusive), and their labels occur together in an allowed triple (`legal`
    [n_labels, n_labels]). Training, prediction and evaluation ask about the same pairs.
    """
    first = np.searchsorted(row, row, side="left")
    n_partners = np.searchsorted(row, row, side="right") - first
    head = np.repeat(np.arange(len(row)), n_partners)
    ends = np.cumsum(n_partners)
    tail = np.arange(len(head)) - np.repeat(ends - n_partners - first, n_partners)
    apart = (end[head] < start[tail]) | (end[tail] < start[head])
    chosen = apart & legal[label[head], label[tail]]
    return Pairs(head[chosen], tail[chosen])


def sentence_distance(sentence: Ints, pairs: Pairs) -> Ints:
    """How many sentences apart the spans of each pair are, at most 4: `[n_pairs]`.

    `sentence` [n_spans] is the sentence in which each span begins.
    """
    apart = np.abs(sentence[pairs.head] - sentence[pairs.tail])
    result: Ints = np.minimum(apart, N_SENTENCE_DISTANCES - 1)
    return result
