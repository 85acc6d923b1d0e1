"""Texts to be read: from files, folders and standard input, as Documents without entities."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pressgang.corpus import read_jsonl
from pressgang.document import Document

STANDARD_INPUT = "-"
_ENDINGS = (".txt", ".jsonl")


def read_sources(paths: Sequence[Path]) -> Iterator[Document]:
    """The texts in these places, in order. A text's id is its file's name without the ending.

    In a folder the id is the path from there, so that no two are alike. Line breaks are kept as
    they are, so offsets are those of the file. That a path is there is looked at before the first
    text is read.

    Raises ValueError naming the file if it is not there, of another kind, or not UTF-8.
    """
    for path in paths:
        if str(path) != STANDARD_INPUT and not path.exists():
            raise ValueError(f"{path}: no such file or folder")
        if path.is_file() and path.suffix not in _ENDINGS:
            raise ValueError(f"{path}: expected a .txt or .jsonl file, a folder, or -")
    return itertools.chain.from_iterable(map(_read, paths))


def _read(path: Path) -> Iterator[Document]:
    if str(path) == STANDARD_INPUT:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", newline="")
        yield from _decoded(path, STANDARD_INPUT)
    elif path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.is_file() and f.suffix in _ENDINGS)
        if not files:
            raise ValueError(f"{path}: holds no .txt and no .jsonl file")
        for file in files:
            yield from _decoded(file, file.relative_to(path).with_suffix("").as_posix())
    else:
        yield from _decoded(path, path.stem)


def _decoded(path: Path, name: str) -> Iterator[Document]:
    try:
        if str(path) == STANDARD_INPUT:
            yield Document(name, sys.stdin.read())
        elif path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                yield from read_jsonl(lines, source=str(path))
        else:
            with path.open(encoding="utf-8", newline="") as text:
                yield Document(name, text.read())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None
