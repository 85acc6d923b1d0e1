"""How far scores are from the share of what is right among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pressgang.document import Document

_MAX_BINS = 10
_MIN_IN_BIN = 40


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores of about the same height: their mean, the share of them that is right, how many."""

    score: float
    share: float
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Scores in bins of about equal number, and how far they are from the share that is right.

    `error` is the expected calibration error (Naeini et al., 2015): the mean distance of score and
    share over the bins, weighted by number.
    """

    error: float
    bins: tuple[Bin, ...]

    @classmethod
    def of(cls, scored: Iterable[tuple[float, bool]]) -> Reliability | None:
        """That of scores, each with whether it was right; None if there are none."""
        # By score alone: equal scores stay in the order of the text, right and wrong ones mixed.
        ordered = np.array(sorted(scored, key=lambda pair: pair[0]), dtype=np.float64)
        if not len(ordered):
            return None
        n_bins = max(1, min(_MAX_BINS, len(ordered) // _MIN_IN_BIN))
        parts = np.array_split(ordered, n_bins)
        bins = tuple(Bin(float(p[:, 0].mean()), float(p[:, 1].mean()), len(p)) for p in parts)
        error = sum(abs(b.score - b.share) * b.n for b in bins) / len(ordered)
        return cls(error, bins)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Reliability:
        """The reliability that `dataclasses.asdict` wrote."""
        return cls(record["error"], tuple(Bin(**each) for each in record["bins"]))


def entity_reliability(pairs: Sequence[tuple[Document, Document]]) -> Reliability | None:
    """That of the entities' scores, documents in pairs of gold and predicted."""
    return Reliability.of(
        (entity.score, entity in truth)
        for gold, predicted in pairs
        for truth in [set(gold.entities)]
        for entity in predicted.entities
        if entity.score is not None
    )


def relation_reliability(pairs: Sequence[tuple[Document, Document]]) -> Reliability | None:
    """That of the relations' scores; a relation is right if its arguments are too."""
    return Reliability.of(
        (relation.score, relation in truth)
        for gold, predicted in pairs
        for truth in [set(gold.relations)]
        for relation in predicted.relations
        if relation.score is not None
    )
