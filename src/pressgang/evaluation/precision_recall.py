"""What a higher or lower demand on scores makes of precision and recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pressgang.document import Document
from pressgang.evaluation.scoring import Counts

MIN_SCORES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The strict counts when only what has a score of at least `min_score` is kept."""

    min_score: float
    counts: Counts

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> OperatingPoint:
        """The point that `dataclasses.asdict` wrote."""
        return cls(record["min_score"], Counts.from_dict(record["counts"]))


def operating_points(
    pairs: Sequence[tuple[Document, Document]], kind: Literal["entities", "relations"]
) -> tuple[OperatingPoint, ...]:
    """The precision-recall curve of scored entities or relations, gold documents first in pairs.

    Points at which nothing is kept, and points that keep the same as the one before, are left out;
    none are given if nothing has a score.
    """
    scored = [
        (thing.score, thing in truth)
        for gold, predicted in pairs
        for truth in [set(getattr(gold, kind))]
        for thing in getattr(predicted, kind)
        if thing.score is not None
    ]
    n_gold = sum(len(getattr(gold, kind)) for gold, _ in pairs)
    points: list[OperatingPoint] = []
    for least in MIN_SCORES:
        kept = [right for score, right in scored if score >= least]
        if kept and not (points and points[-1].counts.n_predicted == len(kept)):
            points.append(OperatingPoint(least, Counts(sum(kept), len(kept), n_gold)))
    return tuple(points)
