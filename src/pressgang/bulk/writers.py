"""Which files the documents of a run become, and what each kind of file can hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from pressgang.corpus import to_line
from pressgang.document import Document, Entity, Relation
from pressgang.extras import require
from pressgang.formats.conll import conll
from pressgang.formats.docbin import write_docbin
from pressgang.formats.graphml import graphml
from pressgang.formats.html import render_page
from pressgang.formats.parquet import write_parquet
from pressgang.formats.tables import write_tables
from pressgang.label_studio.labeling_config import LabelingConfig
from pressgang.label_studio.predictions import prediction_tasks
from pressgang.schema import Schema

_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Form(StrEnum):
    """What `predict` writes; text is for the terminal."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    SPACY = "spacy"
    CONLL = "conll"
    GRAPHML = "graphml"
    LABEL_STUDIO = "label-studio"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Writer:
    """How documents become one file, or several side by side.

    `names` are those of the files of a shard, `{}` for its number. `write` takes as many paths.
    `pieces` is there where the file is text that can be printed as it comes. Characters that match
    `unfit` have no place in such a file: they become U+FFFD, which keeps every offset.
    """

    names: tuple[str, ...]
    write: Callable[[Sequence[Path], Iterable[Document]], None]
    pieces: Callable[[Iterable[Document]], Iterable[str]] | None = None
    unfit: re.Pattern[str] | None = None

    def fits(self, document: Document) -> bool:
        """Whether nothing in the document has to be replaced."""
        texts = (document.id, document.text, *(thing.label for thing in _marks(document)))
        return self.unfit is None or not any(map(self.unfit.search, texts))

    def fitted(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents with what does not fit replaced."""
        return (d if self.fits(d) else _replaced(d, self.unfit) for d in documents)


def writer_for(
    form: Form,
    schema: Schema,
    *,
    model_version: str = "pressgang",
    labeling_config: LabelingConfig | None = None,
) -> Writer:
    """The writer of a form.

    Raises ValueError saying what to install if its package is missing; text has no writer.
    """
    match form:
        case Form.JSONL:
            return _of_text(".jsonl", lambda found: (to_line(d) + "\n" for d in found))
        case Form.CSV:
            names = ("entities-{}.csv", "relations-{}.csv")
            return Writer(names, write_tables, unfit=_NOT_UTF8)
        case Form.PARQUET:
            require("pyarrow", extra="parquet")
            return _of_one_file(".parquet", write_parquet)
        case Form.SPACY:
            require("spacy", extra="spacy")
            return _of_one_file(".spacy", write_docbin)
        case Form.CONLL:
            return _of_text(".conllup", conll, unfit=_NOT_UTF8)
        case Form.GRAPHML:
            return _of_text(".graphml", graphml, unfit=_NOT_XML)
        case Form.LABEL_STUDIO:
            tasks = partial(prediction_tasks, model_version=model_version, config=labeling_config)
            return _of_text(".json", tasks)
        case Form.HTML:
            page = partial(render_page, schema=schema, title="pressgang: predictions")
            return _of_text(".html", page)
        case Form.TEXT:
            raise ValueError("--format text is for the terminal; --output needs another format")


def _of_one_file(ending: str, write: Callable[[Path, Iterable[Document]], None]) -> Writer:
    return Writer(
        (f"part-{{}}{ending}",), lambda paths, found: write(paths[0], found), unfit=_NOT_UTF8
    )


def _of_text(
    ending: str,
    pieces: Callable[[Iterable[Document]], Iterable[str]],
    unfit: re.Pattern[str] | None = None,
) -> Writer:
    def write(paths: Sequence[Path], documents: Iterable[Document]) -> None:
        with paths[0].open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces(documents))

    return Writer((f"part-{{}}{ending}",), write, pieces, unfit)


def _marks(document: Document) -> tuple[Entity | Relation, ...]:
    return (*document.entities, *document.relations)


def _replaced(document: Document, unfit: re.Pattern[str] | None) -> Document:
    def fit(text: str) -> str:
        return text if unfit is None else unfit.sub("\ufffd", text)

    changed = {e: replace(e, label=fit(e.label)) for e in document.entities}
    relations = tuple(
        replace(r, head=changed[r.head], tail=changed[r.tail], label=fit(r.label))
        for r in document.relations
    )
    return Document(fit(document.id), fit(document.text), tuple(changed.values()), relations)
