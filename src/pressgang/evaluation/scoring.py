"""Counts that add, precision, recall and F1 from them, and their uncertainty over documents.

Scores compare Documents with Documents. What two things have in common is what `Entity` and
`Relation` call equal: an entity's span and label; a relation's label, direction, and both its
entities with theirs. Symmetric relations get no special treatment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pressgang.document import Document, Relation
from pressgang.text.segmentation import sentence_starts

N_RESAMPLES = 2000
LEVEL = 0.95
DISTANCES = ("0", "1", "2+")

Thing = TypeVar("Thing", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many things were predicted correctly, predicted at all, and annotated.

    Precision, recall and F1 lie in [0, 1] and are 0.0 where they are undefined.
    """

    n_correct: int = 0
    n_predicted: int = 0
    n_gold: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.n_correct <= min(self.n_predicted, self.n_gold):
            raise ValueError(
                f"{self.n_correct} correct of {self.n_predicted} predicted and {self.n_gold} gold"
            )

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.n_correct + other.n_correct,
            self.n_predicted + other.n_predicted,
            self.n_gold + other.n_gold,
        )

    @property
    def precision(self) -> float:
        """Correct / predicted."""
        return self.n_correct / self.n_predicted if self.n_predicted else 0.0

    @property
    def recall(self) -> float:
        """Correct / gold."""
        return self.n_correct / self.n_gold if self.n_gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: 2 correct / (predicted + gold)."""
        total = self.n_predicted + self.n_gold
        return 2 * self.n_correct / total if total else 0.0

    @classmethod
    def from_dict(cls, record: Mapping[str, int]) -> Counts:
        """The counts in a record; what else it holds follows from them."""
        return cls(record["n_correct"], record["n_predicted"], record["n_gold"])


@dataclass(frozen=True, slots=True)
class Interval:
    """The range in which a figure lies at some level of confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """Counts and the interval of their F1, where there is one: see `bootstrap_interval`."""

    counts: Counts
    interval: Interval | None

    @property
    def support(self) -> int:
        """How many things are in gold."""
        return self.counts.n_gold

    @classmethod
    def of(cls, per_document: Sequence[Counts], *, seed: int) -> Score:
        """The sum of the counts of documents, with its interval."""
        return cls(sum(per_document, Counts()), bootstrap_interval(per_document, seed=seed))

    @classmethod
    def of_group(
        cls, per_document: Sequence[Mapping[str, Counts]], name: str, *, seed: int
    ) -> Score:
        """The same of one group, which may be absent from documents."""
        return cls.of([counts.get(name, Counts()) for counts in per_document], seed=seed)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Score:
        """The score that `dataclasses.asdict` wrote."""
        return cls(Counts.from_dict(record["counts"]), _read_interval(record["interval"]))


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The plain mean of F1 over the `n_labels` labels that gold has; 0.0 if it has none."""

    f1: float
    n_labels: int
    interval: Interval | None

    @property
    def support(self) -> int:
        """How many labels are in gold."""
        return self.n_labels

    @classmethod
    def of(cls, per_document: Sequence[Mapping[str, Counts]], *, seed: int) -> MacroF1:
        """The macro F1 of the summed counts by label, with its interval."""
        totals: defaultdict[str, Counts] = defaultdict(Counts)
        for by_label in per_document:
            for label, counts in by_label.items():
                totals[label] += counts
        scores = [counts.f1 for counts in totals.values() if counts.n_gold]
        mean = sum(scores) / len(scores) if scores else 0.0
        return cls(mean, len(scores), bootstrap_macro_interval(per_document, seed=seed))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MacroF1:
        """The macro F1 that `dataclasses.asdict` wrote."""
        return cls(record["f1"], record["n_labels"], _read_interval(record["interval"]))


def _read_interval(record: Mapping[str, float] | None) -> Interval | None:
    return None if record is None else Interval(record["low"], record["high"])


def match(gold: AbstractSet[Thing], predicted: AbstractSet[Thing]) -> Counts:
    """The counts of two sets: what is in both is correct."""
    return Counts(len(gold & predicted), len(predicted), len(gold))


def match_by(
    gold: Iterable[Thing], predicted: Iterable[Thing], key: Callable[[Thing], str]
) -> dict[str, Counts]:
    """The counts of each group that a key makes, groups in alphabetical order.

    Equal things must have equal keys; then the counts of the groups add to those of the whole.
    """
    groups: defaultdict[str, tuple[set[Thing], set[Thing]]] = defaultdict(lambda: (set(), set()))
    for side, things in enumerate((gold, predicted)):
        for thing in things:
            groups[key(thing)][side].add(thing)
    return {name: match(*groups[name]) for name in sorted(groups)}


def entity_counts(gold: Document, predicted: Document) -> Counts:
    """Entities, strict: correct are those with the span and the label of a gold entity."""
    return match(set(gold.entities), set(predicted.entities))


def entity_counts_by_label(gold: Document, predicted: Document) -> dict[str, Counts]:
    """Entities, strict, for each label that either document has."""
    return match_by(gold.entities, predicted.entities, lambda entity: entity.label)


def entity_counts_by_seen(
    gold: Document, predicted: Document, surfaces: AbstractSet[str]
) -> dict[str, Counts]:
    """Entities, strict, apart for "seen" ones, whose surface is among these, and "unseen"."""
    return match_by(
        gold.entities,
        predicted.entities,
        lambda entity: "seen" if gold.surface(entity) in surfaces else "unseen",
    )


def entity_boundary_counts(gold: Document, predicted: Document) -> Counts:
    """Entities, boundaries only: distinct spans, whatever their label."""
    return match(*({(e.start, e.end) for e in side.entities} for side in (gold, predicted)))


def relation_counts(gold: Document, predicted: Document) -> Counts:
    """Relations, strict: label, direction, both spans and both entity labels are a gold one's."""
    return match(set(gold.relations), set(predicted.relations))


def relation_counts_by_label(gold: Document, predicted: Document) -> dict[str, Counts]:
    """Relations, strict, for each relation label that either document has."""
    return match_by(gold.relations, predicted.relations, lambda relation: relation.label)


def relation_counts_by_distance(gold: Document, predicted: Document) -> dict[str, Counts]:
    """Relations, strict, by how many sentences lie from one argument's first to the other's."""
    starts = sentence_starts(gold.text).tolist()

    def distance(relation: Relation) -> str:
        head, tail = (bisect_right(starts, e.start) for e in (relation.head, relation.tail))
        return DISTANCES[min(abs(head - tail), len(DISTANCES) - 1)]

    return match_by(gold.relations, predicted.relations, distance)


def relation_boundary_counts(gold: Document, predicted: Document) -> Counts:
    """Relations, boundaries: label, direction and both spans, whatever the entity labels."""
    return match(
        *(
            {(r.label, r.head.start, r.head.end, r.tail.start, r.tail.end) for r in side.relations}
            for side in (gold, predicted)
        )
    )


def bootstrap_interval(
    per_document: Sequence[Counts],
    *,
    seed: int,
    n_resamples: int = N_RESAMPLES,
    level: float = LEVEL,
) -> Interval | None:
    """The interval of the pooled F1, by the percentile bootstrap over documents.

    As many documents as there are get drawn with replacement, their counts added and F1 taken,
    `n_resamples` times; the interval holds the middle `level` of those figures (Efron & Tibshirani
    1993, An Introduction to the Bootstrap, chapter 13). Resamples with nothing gold or predicted
    have no F1 and are left out. With a few documents it is too narrow, and None if fewer than two
    have anything gold or predicted: one document says nothing about others.

    Raises ValueError if there is no document.
    """
    counts = np.array([(c.n_correct, c.n_predicted, c.n_gold) for c in per_document], dtype=float)
    totals = _resample(counts.reshape(-1, 3), seed, n_resamples)
    sizes = totals[:, 1] + totals[:, 2]
    return _middle(2 * totals[sizes > 0, 0] / sizes[sizes > 0], level)


def bootstrap_difference(
    one: Sequence[Counts], two: Sequence[Counts], *, seed: int
) -> Interval | None:
    """The interval of how far the pooled F1 of one lies above that of two, as `bootstrap_interval`.

    Both hold the counts of the same documents in the same order, and the same are drawn for both.

    Raises ValueError if there is no document, or one has more than the other.
    """
    counts = np.array(
        [
            [(c.n_correct, c.n_predicted + c.n_gold) for c in pair]
            for pair in zip(one, two, strict=True)
        ],
        dtype=float,
    )
    totals = _resample(counts.reshape(-1, 2, 2), seed, N_RESAMPLES)
    f1 = 2 * totals[..., 0] / np.maximum(totals[..., 1], 1)
    return _middle(f1[:, 0] - f1[:, 1], LEVEL)


def bootstrap_macro_interval(
    per_document: Sequence[Mapping[str, Counts]], *, seed: int
) -> Interval | None:
    """The interval of macro F1, as `bootstrap_interval`, from each document's counts by label.

    The mean of a resample runs over the labels that are in its gold.
    """
    labels = sorted({label for counts in per_document for label in counts})
    table = [[counts.get(label, Counts()) for label in labels] for counts in per_document]
    counts = np.array(
        [[(c.n_correct, c.n_predicted, c.n_gold) for c in row] for row in table], dtype=float
    )
    totals = _resample(counts.reshape(len(table), len(labels), 3), seed, N_RESAMPLES)
    sizes = totals[..., 1] + totals[..., 2]
    f1 = 2 * totals[..., 0] / np.maximum(sizes, 1)
    has_gold = totals[..., 2] > 0
    n_labels = has_gold.sum(axis=1)
    means = np.where(has_gold, f1, 0.0).sum(axis=1) / np.maximum(n_labels, 1)
    return _middle(means[n_labels > 0], LEVEL)


def _resample(
    counts: npt.NDArray[np.float64], seed: int, n_resamples: int
) -> npt.NDArray[np.float64]:
    """Totals `[n_resamples, ...]` of counts `[n_documents, ...]` drawn with replacement.

    The same seed draws the same documents for every figure. No totals if fewer than two documents
    count anything.
    """
    n_documents = len(counts)
    if not n_documents:
        raise ValueError("there is no document to resample")
    if counts.reshape(n_documents, -1).any(axis=1).sum() < 2:
        return counts[:0]
    return np.asarray(np.tensordot(_draw(n_documents, seed, n_resamples), counts, axes=1))


@lru_cache(maxsize=1)
def _draw(n_documents: int, seed: int, n_resamples: int) -> npt.NDArray[np.float64]:
    """How often each resample draws each document, `[n_resamples, n_documents]`."""
    size = (n_resamples, n_documents)
    drawn = np.random.default_rng(seed).integers(n_documents, size=size)
    cells = np.arange(n_resamples)[:, None] * n_documents + drawn
    n_drawn = np.bincount(cells.ravel(), minlength=n_resamples * n_documents)
    return n_drawn.reshape(size).astype(float)


def _middle(values: npt.NDArray[np.float64], level: float) -> Interval | None:
    """The range of the middle `level` of some values."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level} is not between 0 and 1")
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
