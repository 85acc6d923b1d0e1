"""Texts to be read: files, folders and standard input as documents that each have a place.

A document that cannot be read stands in no other's way: it is known by its place before it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from pressgang.corpus import from_line
from pressgang.document import Document
from pressgang.extras import require

STANDARD_INPUT = "-"
_LINES, _ROWS = (".jsonl", ".jsonl.gz"), ".parquet"
_ENDINGS = (".txt", *_LINES, _ROWS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands: a whole file, or a line or row of one, counted from 1."""

    file: str
    unit: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.number}" if self.unit else self.file

    def to_dict(self) -> dict[str, Any]:
        """The place as JSON types: `{"file": "a.jsonl", "line": 17}`."""
        return {"file": self.file} | ({self.unit: self.number} if self.unit else {})


@dataclass(frozen=True, slots=True)
class Source:
    """A document that is still to be read.

    `read` raises ValueError or OSError if it cannot be; `end` is how many bytes of all inputs are
    done with it.
    """

    place: Place
    end: int
    read: Callable[[], Document]


@dataclass(frozen=True, slots=True)
class _Files:
    """Files under a root, by their paths from there; for a file as root there is one, ""."""

    root: str
    names: list[str]
    sizes: array[int]


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that was named on the command line, in order; what is iterated is not read yet."""

    groups: tuple[_Files, ...]

    @property
    def n_files(self) -> int:
        """How many files there are."""
        return sum(len(group.names) for group in self.groups)

    @property
    def n_bytes(self) -> int:
        """The size of all files; standard input counts as nothing."""
        return sum(sum(group.sizes) for group in self.groups)

    def digest(self) -> str:
        """The SHA-256 of all names and sizes, by which the same inputs are known again."""
        digest = hashlib.sha256()
        for group in self.groups:
            for name, size in zip(group.names, group.sizes, strict=True):
                digest.update(os.fsencode(f"{group.root}\0{name}\0{size}\0"))
        return digest.hexdigest()

    def __iter__(self) -> Iterator[Source]:
        is_alone = self.n_files == 1
        begin = 0
        for group in self.groups:
            for name, size in zip(group.names, group.sizes, strict=True):
                path = Path(group.root, name)
                stem = _stem(name) if name else _stem(path.name)
                yield from _sources(path, stem, begin, size, is_alone=is_alone)
                begin += size


def find_inputs(paths: Sequence[Path]) -> Inputs:
    """The files in these places, in order; those of a folder sorted by their parts.

    Raises ValueError naming the path if it is not there, of another kind, or a folder without any
    text, and if Parquet is to be read where pyarrow is missing.
    """
    groups = tuple(_found(path) for path in paths)
    if any(f"{g.root}/{n}".rstrip("/").endswith(_ROWS) for g in groups for n in g.names):
        require("pyarrow", extra="parquet")
    return Inputs(groups)


def read_sources(paths: Sequence[Path]) -> Iterator[Document]:
    """The texts in these places, in order. A text's id is its file's name without the ending.

    In a folder the id is the path from there, so that no two are alike. Line breaks are kept as
    they are, so offsets are those of the file. A line or row without an id is named by its number,
    after the name of its file where there are several. That a path is there is looked at before
    the first text is read.

    Raises ValueError naming the place of the first document that cannot be read.
    """
    return map(read_or_stop, find_inputs(paths))


def read_or_stop(source: Source) -> Document:
    """The document. Raises ValueError with its place if it cannot be read."""
    try:
        return source.read()
    except (ValueError, OSError) as error:
        raise ValueError(f"{source.place}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """What went wrong, on one line."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split()) or type(error).__name__


def _found(path: Path) -> _Files:
    if str(path) == STANDARD_INPUT:
        return _Files(STANDARD_INPUT, [""], array("q", [0]))
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if path.is_file():
        if not path.name.endswith(_ENDINGS):
            raise ValueError(
                f"{path}: expected a .txt or .jsonl file (.jsonl.gz, .parquet), a folder, or -"
            )
        return _Files(str(path), [""], array("q", [path.stat().st_size]))
    files = (f for f in path.rglob("*") if f.name.endswith(_ENDINGS) and f.is_file())
    names = sorted((f.relative_to(path).as_posix() for f in files), key=lambda n: n.split("/"))
    if not names:
        raise ValueError(f"{path}: holds no {', '.join(_ENDINGS)} file")
    return _Files(str(path), names, array("q", [(path / name).stat().st_size for name in names]))


def _stem(name: str) -> str:
    """The name without its ending: `2024/may.jsonl.gz` gives `2024/may`."""
    ending = next((e for e in (".jsonl.gz", *_ENDINGS) if name.endswith(e)), "")
    return name.removesuffix(ending)


def _sources(path: Path, stem: str, begin: int, size: int, *, is_alone: bool) -> Iterator[Source]:
    prefix = "" if is_alone else f"{stem}:"
    if str(path) == STANDARD_INPUT:
        yield Source(Place(STANDARD_INPUT), 0, _read_standard_input)
    elif path.name.endswith(_LINES):
        yield from _lines(path, prefix, begin, size)
    elif path.name.endswith(_ROWS):
        yield from _rows(path, prefix, begin, size)
    else:
        yield Source(Place(str(path)), begin + size, partial(_read_text, path, stem))


def _lines(path: Path, prefix: str, begin: int, size: int) -> Iterator[Source]:
    number = 0
    try:
        with path.open("rb") as raw:
            packed = path.name.endswith(".gz")
            lines = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    read = partial(_read_line, line, f"{prefix}{number}")
                    yield Source(Place(str(path), "line", number), begin + raw.tell(), read)
    except (OSError, EOFError, zlib.error) as error:
        yield _broken(path, f"beyond line {number}", begin + size, error)


def _rows(path: Path, prefix: str, begin: int, size: int) -> Iterator[Source]:
    from pressgang.formats.parquet import read_rows

    number = 0
    try:
        for row in read_rows(path):
            number = row.number
            yield Source(
                Place(str(path), "row", number),
                begin + size * number // row.n_rows,
                partial(row.read, name=f"{prefix}{number}"),
            )
    except (OSError, ValueError) as error:
        yield _broken(path, f"beyond row {number}", begin + size, error)


def _read_line(line: bytes, name: str) -> Document:
    return from_line(_decoded(line), name=name)


def _read_text(path: Path, name: str) -> Document:
    return Document(name, _decoded(path.read_bytes()))


def _read_standard_input() -> Document:
    if isinstance(sys.stdin, io.TextIOWrapper):
        return Document(STANDARD_INPUT, _decoded(sys.stdin.buffer.read()))
    return Document(STANDARD_INPUT, sys.stdin.read())


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason} at byte {error.start})") from None


def _broken(path: Path, beyond: str, end: int, error: Exception) -> Source:
    """What stands for the rest of a file that cannot be read to its end."""

    def refuse() -> Document:
        raise ValueError(f"cannot be read {beyond} ({reason(error)})")

    return Source(Place(str(path)), end, refuse)
