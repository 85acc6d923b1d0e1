"""How far scores are from the share of what is right among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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


def reliability(
    pairs: Sequence[tuple[Document, Document]], kind: Literal["entities", "relations"]
) -> Reliability | None:
    """That of the scores of predicted entities or relations, documents in pairs with gold first.

    Right is what gold has too; a relation is right only if its arguments are.
    """
    return Reliability.of(
        (thing.score, thing in truth)
        for gold, predicted in pairs
        for truth in [set(getattr(gold, kind))]
        for thing in getattr(predicted, kind)
        if thing.score is not None
    )
