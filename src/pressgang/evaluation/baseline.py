"""The baseline that stands beside every score: a lexicon, and one relation for each label pair."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from pressgang.document import Document, Entity, Relation
from pressgang.text.segmentation import sentence_starts, words


@dataclass(frozen=True, slots=True)
class Baseline:
    """What can be predicted by memory alone.

    `lexicon` maps each surface of the training documents, case and all, to its most frequent
    label; `relations` each ordered (head label, tail label) to its most frequent relation. The
    first by the alphabet wins a tie.
    """

    lexicon: Mapping[str, str]
    relations: Mapping[tuple[str, str], str]
    _lengths: Mapping[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for surface in self.lexicon:
            for start, end in words(surface)[:1].tolist():
                lengths[surface[start:end]].add(len(surface))
        object.__setattr__(
            self, "_lengths", {w: tuple(sorted(n, reverse=True)) for w, n in lengths.items()}
        )

    @classmethod
    def fit(cls, documents: Iterable[Document]) -> Baseline:
        """The baseline of these training documents; of none, one that predicts nothing."""
        labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
        relations: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for document in documents:
            for entity in document.entities:
                labels[document.surface(entity)][entity.label] += 1
            for relation in document.relations:
                relations[relation.head.label, relation.tail.label][relation.label] += 1
        return cls(
            {surface: _most_frequent(counter) for surface, counter in labels.items()},
            {pair: _most_frequent(counter) for pair, counter in relations.items()},
        )

    def predict(self, document_id: str, text: str) -> Document:
        """The text with the surfaces of the lexicon as entities, and the relations of `relate`.

        From left to right, at each word the longest surface that begins there and ends with a
        word is taken, and the search goes on behind it.
        """
        entities: list[Entity] = []
        offsets: list[list[int]] = words(text).tolist()
        ends = {end for _, end in offsets}
        free_from = 0
        for start, end in offsets:
            if start < free_from:
                continue
            for length in self._lengths.get(text[start:end], ()):
                surface = text[start : start + length]
                if start + length in ends and surface in self.lexicon:
                    free_from = start + length
                    entities.append(Entity(start, free_from, self.lexicon[surface]))
                    break
        return self.relate(Document(document_id, text, tuple(entities)))

    def relate(self, document: Document) -> Document:
        """The document with its own entities, and the relations that memory gives to them.

        Every ordered pair of entities that begin in the same sentence is related if its labels are.
        """
        starts = np.array([entity.start for entity in document.entities], dtype=np.int64)
        sentences: defaultdict[int, list[Entity]] = defaultdict(list)
        positions = np.searchsorted(sentence_starts(document.text), starts, side="right").tolist()
        for sentence, entity in zip(positions, document.entities, strict=True):
            sentences[sentence].append(entity)
        relations = tuple(
            Relation(head, tail, label)
            for together in sentences.values()
            for head, tail in permutations(together, 2)
            if (label := self.relations.get((head.label, tail.label)))
        )
        return Document(document.id, document.text, document.entities, relations)

    def has_seen(self, surface: str) -> bool:
        """Whether the training documents have a mention with exactly this surface."""
        return surface in self.lexicon

    def to_dict(self) -> dict[str, Any]:
        """The baseline as JSON types."""
        return {
            "lexicon": dict(sorted(self.lexicon.items())),
            "relations": [[*pair, label] for pair, label in sorted(self.relations.items())],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Baseline:
        """The baseline that `to_dict` wrote."""
        return cls(
            dict(record["lexicon"]),
            {(head, tail): label for head, tail, label in record["relations"]},
        )


def _most_frequent(counter: Counter[str]) -> str:
    """The label with the highest count, the first by the alphabet among equals."""
    return min(counter, key=lambda label: (-counter[label], label))
