"""A sealed folder: `manifest.json` holds the size and the SHA-256 of each file beside it.

What is read from such a folder is what was hashed: each file is read once, into memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.files import write_json

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Sealed:
    """The files of a folder, found to be what its manifest says, and the manifest's record."""

    files: Mapping[str, bytes]
    record: Mapping[str, Any]


def seal(folder: Path, names: Iterable[str], record: Mapping[str, Any]) -> None:
    """Write the manifest of these files of a folder; `record` is what else it is to say.

    It is written last, so a folder that holds it is whole.
    """
    files = {}
    for name in sorted(names):
        content = (folder / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_json(folder / MANIFEST, {"format": FORMAT} | dict(record) | {"files": files})


def read_sealed(folder: Path, needed: Iterable[str]) -> Sealed:
    """The files of a sealed folder.

    Raises ValueError naming the file if one of `needed` or of the manifest is missing, or a file is
    not the one that was sealed.
    """
    path = folder / MANIFEST
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, expected {FORMAT}")
        sealed = {
            name: (int(entry["bytes"]), str(entry["sha256"]))
            for name, entry in record["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not the manifest of a model ({error!r})") from None
    for name in needed:
        if name not in sealed:
            raise ValueError(f"{path}: does not list {name}; this is no whole model")
    files = {name: _read(folder, name, *entry) for name, entry in sealed.items()}
    return Sealed(files, record)


def _read(folder: Path, name: str, n_bytes: int, digest: str) -> bytes:
    path = folder / name
    if Path(name).name != name:
        raise ValueError(f"{folder / MANIFEST}: lists {name!r}, which is no plain file name")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; the manifest lists it (deleted or renamed?)") from None
    if len(content) != n_bytes:
        raise ValueError(
            f"{path}: {len(content)} bytes, the manifest says {n_bytes} (cut off, or another file?)"
        )
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path}: not the file that was sealed (its SHA-256 differs)")
    return content
