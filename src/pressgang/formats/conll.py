"""CoNLL-U Plus: a word a line, with its offsets, its B-/I-/O tag, its entity and its relations."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from pressgang.document import Document
from pressgang.formats.pieces import word_spans
from pressgang.text.segmentation import sentence_starts

COLUMNS = ("ID", "FORM", "START", "END", "NER", "ENTITY", "RELATIONS")
_OUTSIDE = ("O", "_", "_")
_UNSAFE = re.compile(r"[%|]|[^\S ]|^ +| +$| {2,}")


def conll(documents: Iterable[Document]) -> Iterator[str]:
    """The documents in pieces, a blank line after each sentence; they hold no scores.

    ENTITY is the position of the word's entity in the document. RELATIONS, on the first word of a
    head, is `TAIL:LABEL|...` with the position of the tail, which may be in another sentence:

        1   Askar   0   5   B-PERSON   0   1:JAILED_IN

    What would break a line or a cell in an id or a label is written as in a URL (`%0A`).
    Raises ValueError if entities overlap, or begin or end with white space.
    """
    yield f"# global.columns = {' '.join(COLUMNS)}\n"
    for document in documents:
        yield f"# newdoc id = {_safe(document.id)}\n" if document.id else "# newdoc\n"
        yield from _lines(document)
        yield "\n"


def _lines(document: Document) -> Iterator[str]:
    spans = word_spans(document)
    cells = _cells(document, spans)
    sentences = np.searchsorted(_breaks(document), spans[:, 0], side="right").tolist()
    number = 0
    for index, (start, end) in enumerate(spans.tolist()):
        if index and sentences[index] != sentences[index - 1]:
            yield "\n"
            number = 0
        number += 1
        line = (str(number), document.text[start:end], str(start), str(end), *cells[index])
        yield "\t".join(line) + "\n"


def _cells(document: Document, spans: npt.NDArray[np.int64]) -> list[tuple[str, str, str]]:
    """For each word its tag, the position of its entity, and the relations of which it is head."""
    starts = {start: index for index, start in enumerate(spans[:, 0].tolist())}
    ends = {end: index for index, end in enumerate(spans[:, 1].tolist())}
    cells = [_OUTSIDE] * len(spans)
    relations = _relations(document)
    for position, entity in enumerate(document.entities):
        place = f"document {document.id!r}: entity [{entity.start}, {entity.end})"
        if entity.start not in starts or entity.end not in ends:
            raise ValueError(f"{place} begins or ends with white space, which CoNLL cannot hold")
        first, last = starts[entity.start], ends[entity.end]
        if any(cells[index] != _OUTSIDE for index in range(first, last + 1)):
            raise ValueError(f"{place} overlaps another, which CoNLL cannot hold")
        label = _safe(entity.label)
        cells[first] = (f"B-{label}", str(position), relations.get(position, "_"))
        for index in range(first + 1, last + 1):
            cells[index] = (f"I-{label}", str(position), "_")
    return cells


def _relations(document: Document) -> dict[int, str]:
    position = {entity: index for index, entity in enumerate(document.entities)}
    return {
        position[head]: "|".join(f"{position[r.tail]}:{_safe(r.label)}" for r in relations)
        for head, relations in itertools.groupby(document.relations, key=lambda r: r.head)
    }


def _breaks(document: Document) -> npt.NDArray[np.int64]:
    """Where sentences begin, except within an entity."""
    starts = sentence_starts(document.text)
    edges = np.array([(e.start, e.end) for e in document.entities], dtype=np.int64).reshape(-1, 2)
    last = np.searchsorted(edges[:, 0], starts) - 1  # the last entity that begins before
    return starts[(last < 0) | (edges[last, 1] <= starts)] if len(edges) else starts


def _safe(text: str) -> str:
    """The text without anything that ends a line or a cell; `_` stands for none and is escaped."""
    return "%5F" if text == "_" else _UNSAFE.sub(lambda m: quote(m[0], safe=""), text)
