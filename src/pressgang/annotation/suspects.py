"""Places in annotated documents that are likely errors, the likeliest first.

Rules look for what is rare in the corpus itself; where there are predictions by a model that has
not seen the documents, its disagreements are added, ordered by its confidence (Northcutt et al.,
2021; Klie et al., 2023). A suspect is something to look at: many are right as they are.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pressgang.document import Document, Entity, Relation
from pressgang.text.segmentation import sentence_starts

_MIN_MARKED = 2
_RARE_SHARE = 0.02
_MIN_PAIRS = 3
_CONTEXT = 60


@dataclass(frozen=True, slots=True)
class Suspect:
    """A stretch `[start, end)` of a document, in characters, and what is odd about it.

    `weight` in [0, 1] says how odd; it orders suspects of one kind.
    """

    kind: str
    weight: float
    document: str
    start: int
    end: int
    what: str


def find_suspects(
    documents: Sequence[Document], predicted: Mapping[str, Document] | None = None
) -> list[Suspect]:
    """All suspects, the kinds taking turns, each kind from its oddest on.

    `predicted` holds, by id, what a model says of documents that it was not trained on.
    """
    kinds = [
        _two_labels(documents),
        _unmarked(documents),
        _rare_triples(documents),
        _unrelated(documents),
        _disagreements(documents, predicted or {}),
    ]
    queues = [sorted(kind, key=lambda s: (-s.weight, s.document, s.start)) for kind in kinds]
    longest = max(map(len, queues))
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def context(document: Document, suspect: Suspect) -> str:
    """The suspect in its surroundings, on one line, between double bars."""
    text = document.text
    before = text[max(0, suspect.start - _CONTEXT) : suspect.start]
    after = text[suspect.end : suspect.end + _CONTEXT]
    return " ".join(f"{before}‖{text[suspect.start : suspect.end]}‖{after}".split())


def _two_labels(documents: Sequence[Document]) -> Iterator[Suspect]:
    """Mentions whose surface more often has another label."""
    counts = _labels_of_surfaces(documents)
    for document in documents:
        for entity in document.entities:
            labels = counts[document.surface(entity)]
            usual, n_usual = labels.most_common(1)[0]
            if usual != entity.label:
                share = n_usual / labels.total()
                what = f"{entity.label}, elsewhere {n_usual} × {usual}"
                yield _at("two labels", share, document, entity, what)


def _unmarked(documents: Sequence[Document]) -> Iterator[Suspect]:
    """Occurrences, outside of all mentions, of what is marked elsewhere."""
    counts = _labels_of_surfaces(documents)
    known = {surface for surface, labels in counts.items() if labels.total() >= _MIN_MARKED}
    if not known:
        return
    ordered = sorted(known, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)")
    found = []
    for document in documents:
        ends = [0, *(entity.end for entity in document.entities)]
        starts = [entity.start for entity in document.entities]
        for match in pattern.finditer(document.text):
            nearest = bisect.bisect_left(starts, match.end())
            if ends[nearest] <= match.start():
                found.append((document, match))
    n_unmarked = Counter(match.group() for _, match in found)
    for document, match in found:
        labels = counts[match.group()]
        share = labels.total() / (labels.total() + n_unmarked[match.group()])
        what = f"not marked, elsewhere {labels.total()} × {labels.most_common(1)[0][0]}"
        yield Suspect("unmarked", share, document.id, match.start(), match.end(), what)


def _rare_triples(documents: Sequence[Document]) -> Iterator[Suspect]:
    """Relations between labels between which that relation is hardly ever found."""
    triples = Counter(_triple(r) for d in documents for r in d.relations)
    totals = Counter(r.label for d in documents for r in d.relations)
    for document in documents:
        for relation in document.relations:
            n = triples[_triple(relation)]
            share = n / totals[relation.label]
            if share < _RARE_SHARE:
                head, label, tail = _triple(relation)
                what = f"{head} {label} {tail}, {n} of {totals[label]} × {label}"
                yield _between("rare triple", 1 - share, document, relation, what)


def _unrelated(documents: Sequence[Document]) -> Iterator[Suspect]:
    """Sentences with several mentions that could well be related, and no relation at all."""
    pairs = Counter((r.head.label, r.tail.label) for d in documents for r in d.relations)
    usual = {pair for pair, n in pairs.items() if n >= _RARE_SHARE * pairs.total()}
    for document in documents:
        starts = sentence_starts(document.text).tolist()
        inside: defaultdict[int, list[Entity]] = defaultdict(list)
        for entity in document.entities:
            inside[bisect.bisect_right(starts, entity.start)].append(entity)
        related = {e for r in document.relations for e in (r.head, r.tail)}
        for entities in inside.values():
            n_pairs = sum((a.label, b.label) in usual for a in entities for b in entities)
            if n_pairs >= _MIN_PAIRS and not related & set(entities):
                what = f"{len(entities)} mentions, {n_pairs} pairs often related, no relation"
                weight = n_pairs / (n_pairs + _MIN_PAIRS)
                start, end = entities[0].start, entities[-1].end
                yield Suspect("no relation", weight, document.id, start, end, what)


def _disagreements(
    documents: Sequence[Document], predicted: Mapping[str, Document]
) -> Iterator[Suspect]:
    """What a model found and the annotation has not, and the reverse.

    What it misses has the weight of what it found there instead, or half of none.
    """
    for document in documents:
        other = predicted.get(document.id)
        if other is None:
            continue
        if other.text != document.text:
            raise ValueError(f"predicted document {document.id!r} has another text")
        for entity in set(other.entities) - set(document.entities):
            what = f"model finds {entity.label}"
            yield _at("model", _score(entity.score), document, entity, what)
        for entity in set(document.entities) - set(other.entities):
            rivals = [_score(e.score) for e in other.entities if e.overlaps(entity)]
            if not rivals:
                yield _at("model", 0.5, document, entity, f"model misses {entity.label}")
        both = set(document.entities) & set(other.entities)
        for relation in set(other.relations) - set(document.relations):
            if {relation.head, relation.tail} <= both:
                what = f"model finds {_shown(document, relation)}"
                yield _between("model", _score(relation.score), document, relation, what)
        for relation in set(document.relations) - set(other.relations):
            if {relation.head, relation.tail} <= both:
                what = f"model misses {_shown(document, relation)}"
                yield _between("model", 0.5, document, relation, what)


def _labels_of_surfaces(documents: Iterable[Document]) -> dict[str, Counter[str]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        for entity in document.entities:
            counts[document.surface(entity)][entity.label] += 1
    return counts


def _triple(relation: Relation) -> tuple[str, str, str]:
    return relation.head.label, relation.label, relation.tail.label


def _shown(document: Document, relation: Relation) -> str:
    head, tail = document.surface(relation.head), document.surface(relation.tail)
    return f"{head} {relation.label} {tail}"


def _score(score: float | None) -> float:
    return 1.0 if score is None else score


def _at(kind: str, weight: float, document: Document, entity: Entity, what: str) -> Suspect:
    return Suspect(kind, weight, document.id, entity.start, entity.end, what)


def _between(
    kind: str, weight: float, document: Document, relation: Relation, what: str
) -> Suspect:
    start = min(relation.head.start, relation.tail.start)
    return Suspect(
        kind, weight, document.id, start, max(relation.head.end, relation.tail.end), what
    )
