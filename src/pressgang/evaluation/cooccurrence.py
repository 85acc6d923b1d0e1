"""Relations found where two mentions merely stand together: false positives on co-occurrence."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pressgang.document import Document, Entity
from pressgang.text.segmentation import sentence_starts

ANY = "any relation"


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """How many ordered pairs stood together without a relation, and how many were given one."""

    n_pairs: int
    n_predicted: int

    @property
    def rate(self) -> float:
        """Predicted / pairs; 0.0 without pairs."""
        return self.n_predicted / self.n_pairs if self.n_pairs else 0.0


def false_positives(
    pairs: Sequence[tuple[Document, Document]],
) -> Mapping[str, FalsePositives]:
    """By relation label, and over all, on documents in pairs of gold and predicted.

    A pair for a label: two gold mentions in one sentence that have no relation of any label in that
    direction, and whose labels are related by that label somewhere in gold. It is given the label
    if a predicted relation joins the same two mentions.
    """
    relations_of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for gold, _ in pairs:
        for relation in gold.relations:
            relations_of[relation.head.label, relation.tail.label].add(relation.label)
    n_pairs: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    for gold, predicted in pairs:
        related = {(r.head, r.tail) for r in gold.relations}
        found: defaultdict[tuple[Entity, Entity], set[str]] = defaultdict(set)
        for relation in predicted.relations:
            found[relation.head, relation.tail].add(relation.label)
        for sentence in _sentences(gold):
            for head in sentence:
                for tail in sentence:
                    labels = relations_of[head.label, tail.label]
                    if head == tail or not labels or (head, tail) in related:
                        continue
                    n_pairs.update([ANY, *labels])
                    given = found[head, tail] & labels
                    n_predicted.update([ANY, *given] if given else [])
    return {label: FalsePositives(n_pairs[label], n_predicted[label]) for label in sorted(n_pairs)}


def _sentences(document: Document) -> list[list[Entity]]:
    """The mentions of each sentence that has any."""
    starts = sentence_starts(document.text).tolist()
    inside: defaultdict[int, list[Entity]] = defaultdict(list)
    for entity in document.entities:
        inside[bisect.bisect_right(starts, entity.start)].append(entity)
    return list(inside.values())
