"""Files that are written whole or not at all, and what they hash to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A place to write to; what stands there at the end appears under the path's name, on disk.

    Until then, and after an error, there is nothing under that name, or what was there before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())  # mkstemp made it private
        with draft.open("rb+") as file:  # on disk before the name is, should the power fail
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """A text file that appears under its name when it is complete, and not at all otherwise."""
    with atomic_path(path) as draft, draft.open("w", encoding="utf-8") as file:
        yield file


def drafts(folder: Path, names: Iterable[str]) -> list[Path]:
    """What killed processes left of files that begin with one of the names."""
    return [path for name in names for path in folder.glob(f".{name}*")]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, record: Any) -> None:
    """Write a record as indented JSON, the whole file or none of it."""
    with atomic_text(path) as file:
        file.write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path, endings: tuple[str, ...]) -> str:
    """The SHA-256 of the names and contents of a folder's files with these endings."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.endswith(endings):
            digest.update(f"{path.name}\0{sha256(path)}\0".encode())
    return digest.hexdigest()
