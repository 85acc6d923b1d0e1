"""Documents as JSON Lines, and as `datasets.Dataset` for those who work there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pressgang.document import Document
from pressgang.files import atomic_text

if TYPE_CHECKING:
    from datasets import Dataset


def to_line(document: Document) -> str:
    """A document as one line of JSON, without the line break.

    A lone surrogate, which UTF-8 cannot hold, is written as a JSON escape, so nothing is lost.
    """
    line = json.dumps(document.to_dict(), ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(document.to_dict())
    return line


def from_line(line: str, *, name: str) -> Document:
    """The document in a line of JSON; `name` is its id where it has none, and 17 becomes "17".

    Raises ValueError saying what is wrong with the line.
    """
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected an object with a text, not {type(record).__name__}")
    given = record.get("id", name)
    return Document.from_dict(record | {"id": str(given) if type(given) is int else given})


def read_jsonl(lines: Iterable[str], *, source: str) -> Iterator[Document]:
    """The documents in lines of JSON, empty lines skipped; a missing id becomes the line number.

    Raises ValueError naming the source, the line and what is wrong with it.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield from_line(line, name=str(number))
        except ValueError as error:
            raise ValueError(f"{source}, line {number}: {error}") from None


def read_documents(path: Path) -> list[Document]:
    """The documents of a JSON Lines file.

    Raises ValueError naming the file and the line if one cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return list(read_jsonl(file, source=str(path)))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Write the documents as JSON Lines, the whole file or none of it; how many there were."""
    n_documents = 0
    with atomic_text(path) as file:
        for document in documents:
            file.write(to_line(document) + "\n")
            n_documents += 1
    return n_documents


def to_dataset(documents: Sequence[Document]) -> Dataset:
    """The documents as a `datasets.Dataset`, columns as in the JSON Lines."""
    from datasets import Dataset, Features, List, Value

    features = Features(
        {
            "id": Value("string"),
            "text": Value("string"),
            "entities": List(
                {
                    "start": Value("int64"),
                    "end": Value("int64"),
                    "label": Value("string"),
                    "text": Value("string"),
                    "score": Value("float64"),
                }
            ),
            "relations": List(
                {
                    "head": Value("int64"),
                    "tail": Value("int64"),
                    "label": Value("string"),
                    "score": Value("float64"),
                }
            ),
        }
    )
    if not documents:
        return Dataset.from_dict({name: [] for name in features}, features=features)
    records = [document.to_dict() for document in documents]
    for record in records:
        for marked in (*record["entities"], *record["relations"]):
            marked.setdefault("score", None)
    return Dataset.from_list(records, features=features)


def from_dataset(dataset: Dataset) -> list[Document]:
    """The documents that `to_dataset` was given (scores rounded as in the JSON Lines)."""
    return [Document.from_dict(record) for record in dataset]
