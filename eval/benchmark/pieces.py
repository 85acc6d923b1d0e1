"""Documents cut into pieces that a peer can read whole, and predicted pieces joined again.

Needs NumPy and nothing else, so that it runs in every peer's environment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pressgang.document import Document, Entity, Relation
from pressgang.text.segmentation import sentence_starts, words


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document as a document of its own, its offsets counted from `start`."""

    start: int
    document: Document


@dataclass(frozen=True, slots=True)
class Losses:
    """How much of the annotation of some documents lies in no single piece.

    `n_cuts` counts the borders of pieces that lie inside a sentence.
    """

    n_documents: int = 0
    n_pieces: int = 0
    n_cuts: int = 0
    n_cut_entities: int = 0
    n_cut_relations: int = 0

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            self.n_documents + other.n_documents,
            self.n_pieces + other.n_pieces,
            self.n_cuts + other.n_cuts,
            self.n_cut_entities + other.n_cut_entities,
            self.n_cut_relations + other.n_cut_relations,
        )


def cut(
    document: Document, *, max_words: int, max_sentences: int | None = None
) -> tuple[list[Piece], Losses]:
    """The pieces of a document, in order, and what of its annotation none of them holds.

    Pieces hold as many whole sentences as fit into `max_words` words and `max_sentences` sentences;
    a sentence with more words than that is cut between words. They never overlap, and white space
    around them belongs to none. A document without words has no piece.
    """
    found = words(document.text)
    sentence = np.searchsorted(sentence_starts(document.text), found[:, 0], side="right")
    pieces: list[Piece] = []
    n_cuts = 0
    for start, end in _runs(sentence.tolist(), max_words, max_sentences or len(found)):
        pieces.append(_part(document, int(found[start, 0]), int(found[end - 1, 1]), len(pieces)))
        n_cuts += end < len(found) and bool(sentence[end - 1] == sentence[end])
    losses = Losses(
        1,
        len(pieces),
        n_cuts,
        len(document.entities) - sum(len(p.document.entities) for p in pieces),
        len(document.relations) - sum(len(p.document.relations) for p in pieces),
    )
    return pieces, losses


def cut_all(
    documents: Sequence[Document], *, max_words: int, max_sentences: int | None = None
) -> tuple[list[list[Piece]], Losses]:
    """The pieces of each document, and what is lost in all."""
    parts = [cut(d, max_words=max_words, max_sentences=max_sentences) for d in documents]
    return [pieces for pieces, _ in parts], sum((losses for _, losses in parts), Losses())


def join(document: Document, pieces: Sequence[Piece], predicted: Sequence[Document]) -> Document:
    """The document with what was predicted for its pieces, at the offsets of the whole text.

    Raises ValueError if a prediction is of another text than its piece.
    """
    entities: list[Entity] = []
    relations: list[Relation] = []
    for piece, found in zip(pieces, predicted, strict=True):
        if found.text != piece.document.text:
            raise ValueError(f"piece {piece.document.id!r}: predicted for another text")
        moved = {e: _moved(e, piece.start) for e in found.entities}
        entities += moved.values()
        relations += [
            Relation(moved[r.head], moved[r.tail], r.label, r.score) for r in found.relations
        ]
    return Document(document.id, document.text, tuple(entities), tuple(relations))


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Character offsets of the words of a text, those that pressgang finds."""
    return [(int(start), int(end)) for start, end in words(text)]


def word_spans(document: Document, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """First word and the one after the last of each entity, in the order of `entities`.

    Raises ValueError if an entity does not begin and end with a word.
    """
    first = {start: index for index, (start, _) in enumerate(offsets)}
    last = {end: index for index, (_, end) in enumerate(offsets)}
    spans = []
    for e in document.entities:
        if e.start not in first or e.end not in last:
            raise ValueError(f"{document.id!r}: entity [{e.start}, {e.end}) ends inside a word")
        spans.append((first[e.start], last[e.end] + 1))
    return spans


def n_longer(pieces: Iterable[Sequence[Piece]], size: Callable[[list[str]], int], room: int) -> int:
    """How many pieces have more tokens than there is room for; `size` counts those of words."""
    texts = [piece.document.text for parts in pieces for piece in parts]
    return sum(size([t[start:end] for start, end in word_offsets(t)]) > room for t in texts)


def _runs(sentence: list[int], max_words: int, max_sentences: int) -> list[tuple[int, int]]:
    """Ranges of words, half-open: whole sentences while they fit, cut where one alone does not."""
    borders = [i for i in range(1, len(sentence)) if sentence[i] != sentence[i - 1]]
    edges = [0, *borders, len(sentence)] if sentence else [0]
    runs: list[tuple[int, int]] = []
    n_sentences = 0
    for start, end in itertools.pairwise(edges):
        fits = runs and end - runs[-1][0] <= max_words and n_sentences < max_sentences
        if fits:
            runs[-1] = (runs[-1][0], end)
            n_sentences += 1
            continue
        runs += [(at, min(at + max_words, end)) for at in range(start, end, max_words)]
        n_sentences = 1
    return runs


def _part(document: Document, start: int, end: int, number: int) -> Piece:
    """What lies whole between two offsets."""
    kept = {e: _moved(e, -start) for e in document.entities if start <= e.start and e.end <= end}
    relations = tuple(
        Relation(kept[r.head], kept[r.tail], r.label, r.score)
        for r in document.relations
        if r.head in kept and r.tail in kept
    )
    name, text = f"{document.id}#{number}", document.text[start:end]
    return Piece(start, Document(name, text, tuple(kept.values()), relations))


def _moved(entity: Entity, by: int) -> Entity:
    return Entity(entity.start + by, entity.end + by, entity.label, entity.score)
