"""spaCy's DocBin: Docs with entities as spans, and relations between those spans."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pressgang.document import Document
from pressgang.formats.pieces import word_spans

SPANS_KEY = "entities"
USER_DATA_KEY = "pressgang"


def write_docbin(path: Path, documents: Iterable[Document]) -> None:
    """Write the documents as a DocBin; it is held in memory until it is written.

    `doc.text` is the text. `doc.spans["entities"]` holds all entities in order, `doc.ents` the
    longest of those that overlap. `doc.user_data["pressgang"]` is what `user_data` gives; head and
    tail of relations are positions in the spans.
    """
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    vocab, found = Vocab(), DocBin(store_user_data=True)
    for document in documents:
        found.add(_doc(document, vocab))
    found.to_disk(path)


def user_data(document: Document) -> dict[str, Any]:
    """What a Doc keeps of its document: `id`, `entities` and `relations` as in the JSON Lines.

    Plain types: a Doc with Spans in its user data could not be written to disk.
    """
    record = document.to_dict()
    return {name: record[name] for name in ("id", "entities", "relations")}


def _doc(document: Document, vocab: Any) -> Any:
    from spacy.tokens import Doc, Span
    from spacy.util import filter_spans

    pieces, spaces = _pieces(document)
    doc = Doc(vocab, words=[document.text[slice(*piece)] for piece in pieces], spaces=spaces)
    starts = {start: index for index, (start, _) in enumerate(pieces)}
    ends = {end: index + 1 for index, (_, end) in enumerate(pieces)}
    spans = [Span(doc, starts[e.start], ends[e.end], e.label) for e in document.entities]
    doc.spans[SPANS_KEY] = spans
    doc.ents = filter_spans(spans)
    doc.user_data[USER_DATA_KEY] = user_data(document)
    return doc


def _pieces(document: Document) -> tuple[list[tuple[int, int]], list[bool]]:
    """Tokens that tile the text but for single blanks, and whether each has one behind it.

    "Osh,  Batken" gives Osh, a comma with a blank behind it, a blank, and Batken.
    """
    text = document.text
    opening = {entity.start for entity in document.entities}
    closing = {entity.end for entity in document.entities}
    pieces: list[tuple[int, int]] = []
    spaces: list[bool] = []
    for start, end in _tiles(document, opening | closing):
        at = start
        # A blank at the edge of an entity is a token: the span could not hold it otherwise.
        if pieces and text[at] == " " and at not in opening and at + 1 not in closing:
            spaces[-1] = True
            at += 1
        if at < end:
            pieces.append((at, end))
            spaces.append(False)
    return pieces, spaces


def _tiles(document: Document, borders: set[int]) -> Iterator[tuple[int, int]]:
    """The words, and what lies between them, cut at borders."""
    words = word_spans(document)
    edges = {0, len(document.text)} | borders | set(words.ravel().tolist())
    return itertools.pairwise(sorted(edges))
