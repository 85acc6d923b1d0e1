"""How well a model that has not seen a document agrees with each of its marks.

The model's probability of what is marked, at its weakest: of a mention the least probable tag among
its words (Wang & Mueller, 2022, "Detecting Label Errors in Token Classification Data"), of a
relation its probability between the marked mentions, of something unmarked what is left. A document
is as good as its worst spot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pressgang.annotation.doubt import asking_all, tag_scores
from pressgang.document import Document, Entity, Relation
from pressgang.evaluation.splits import text_key
from pressgang.files import write_json
from pressgang.model.extractor import Extractor
from pressgang.text.encoding import EncodedText
from pressgang.text.tagging import Floats, decode, entity_of, spans_of, tags_of

SUSPECT = 0.5
ASKED = 1e-37
"""Only relations between labels that are never so related have a lower probability, which is 0."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Characters `[start, end)`, the model's probability of what is marked, and what it is."""

    start: int
    end: int
    score: float
    what: str

    def to_dict(self) -> dict[str, Any]:
        """The spot as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Spot:
        """The spot that `to_dict` wrote."""
        return cls(record["start"], record["end"], record["score"], record["what"])


def marks_key(document: Document) -> str:
    """What tells whether a document is still annotated as it was."""
    record = document.to_dict()
    content = json.dumps([record["entities"], record["relations"]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def write_spots(path: Path, extractor: Extractor, documents: Sequence[Document]) -> None:
    """Write the spots of these documents, each under its text and its marks, as JSON."""
    found = zip(documents, find_spots(extractor, documents), strict=True)
    write_json(
        path,
        [
            {
                "text": text_key(document.text),
                "marks": marks_key(document),
                "spots": [spot.to_dict() for spot in spots],
            }
            for document, spots in found
        ],
    )


def find_spots(extractor: Extractor, documents: Iterable[Document]) -> Iterator[list[Spot]]:
    """For each document the spots that the model thinks rather wrong, the worst first.

    The model must not have been trained on the documents. Marks that it cannot know, off the words
    or with labels unknown to it, are no spots.
    """
    related = asking_all(extractor, least=ASKED)
    for document in documents:
        [found] = related.relate_many([document])
        encoded, scores = tag_scores(extractor, document.text)
        spots = [
            *_mentions(document, extractor, encoded, scores),
            *_relations(document, found),
        ]
        yield sorted((s for s in spots if s.score < SUSPECT), key=lambda s: (s.score, s.start))


def _mentions(
    document: Document, extractor: Extractor, encoded: EncodedText, scores: Floats
) -> Iterator[Spot]:
    spans, kept = spans_of(document.entities, encoded, extractor.schema)
    tags, is_tagged = tags_of(spans, encoded.sentences)
    given = np.exp(np.take_along_axis(scores, tags[:, None], axis=1)[:, 0])
    model = decode(scores, encoded.sentences)
    found = [entity_of(model, i, encoded, extractor.schema) for i in range(len(model))]
    for index in np.flatnonzero(is_tagged).tolist():
        entity = kept[index]
        worst = float(given[spans.start[index] : spans.end[index] + 1].min())
        rivals = ", ".join(_called(document, e) for e in found if e.overlaps(entity))
        what = f"{_called(document, entity)}: the model has {rivals or 'nothing'}"
        yield Spot(entity.start, entity.end, worst, what)
    for index, entity in enumerate(found):
        if not any(entity.overlaps(e) for e in document.entities):
            worst = float(given[model.start[index] : model.end[index] + 1].min())
            what = f"nothing: the model has {_called(document, entity)}"
            yield Spot(entity.start, entity.end, worst, what)


def _relations(document: Document, found: Document) -> Iterator[Spot]:
    scores = {relation: relation.score or 0.0 for relation in found.relations}
    for relation in document.relations:
        if relation in scores:  # else the model never sees both mentions at once
            yield _between(document, relation, scores[relation], "the model has none")
    for relation in scores.keys() - set(document.relations):
        yield _between(document, relation, 1 - scores[relation], "is not there, the model has it")


def _between(document: Document, relation: Relation, score: float, how: str) -> Spot:
    head, tail = relation.head, relation.tail
    what = f"{document.surface(head)} {relation.label} {document.surface(tail)}: {how}"
    return Spot(min(head.start, tail.start), max(head.end, tail.end), score, what)


def _called(document: Document, entity: Entity) -> str:
    return f"{document.surface(entity)} {entity.label}"
