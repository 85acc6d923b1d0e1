"""Which documents are trained on, which are tested, and the files that say so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.corpus import write_documents
from pressgang.document import Document
from pressgang.evaluation.splits import Fold, check_apart, folds
from pressgang.files import sha256, write_json
from pressgang.label_studio.labeling_config import read_labeling_config
from pressgang.label_studio.tasks import read_exports

PROTOCOLS = {
    "written": "trained on the documents written for training, tested on the articles",
    "articles": "leave one article out: trained on the other articles alone",
}
PASSES = {"written": 1, "articles": 7}
"""How many times its epochs a peer gets: as many more over the few articles as pressgang."""
SEED = 13
"""That of the configurations that pressgang is trained with."""


@dataclass(frozen=True, slots=True)
class Part:
    """One training and the test that goes with it."""

    protocol: str
    number: int
    folder: Path

    @property
    def train(self) -> Path:
        """The documents to train on, JSON Lines."""
        return self.folder / "train.jsonl"

    @property
    def test(self) -> Path:
        """The documents to test on, JSON Lines, with their gold."""
        return self.folder / "test.jsonl"

    def hashes(self) -> dict[str, str]:
        """The SHA-256 of both files.

        Raises OSError if they are not there.
        """
        return {"train": sha256(self.train), "test": sha256(self.test)}


def parts(root: Path) -> list[Part]:
    """All trainings of all protocols.

    Raises ValueError if the data was not written yet.
    """
    return [_part(root, record["protocol"], record["number"]) for record in read_counts(root)]


def write_parts(annotations: Path, root: Path) -> list[dict[str, Any]]:
    """Write the files of all parts from the corpus; what each part holds, as JSON types.

    Page furniture, in which nothing is to be found, is trained on in all.

    Raises ValueError if a task cannot be read, or a text is on both sides.
    """
    gold, written, furniture = read_corpus(annotations)
    check_apart((*written, *furniture), gold)
    made = {
        "written": [Fold((), tuple(gold), (*written, *furniture))],
        "articles": folds(gold, 0, seed=SEED, training_only=furniture),
    }
    records = []
    for protocol, number, fold in [(p, n, f) for p in made for n, f in enumerate(made[p])]:
        part = _part(root, protocol, number)
        write_documents(part.train, fold.known)
        write_documents(part.test, fold.test)
        records.append(
            {
                "protocol": protocol,
                "number": number,
                "train": _counts(fold.known),
                "test": _counts(fold.test),
                "tested": [document.id for document in fold.test],
            }
        )
    write_json(root / "data" / "parts.json", records)
    return records


def read_corpus(annotations: Path) -> tuple[list[Document], list[Document], list[Document]]:
    """The articles, the documents written for training, and page furniture.

    Raises ValueError naming the first task that cannot be read.
    """
    config = read_labeling_config(annotations / "labeling_config.xml")
    authored = sorted((annotations / "authored").glob("*.json"))
    found = []
    for paths in ([annotations / "gold.json"], authored, [annotations / "furniture.json"]):
        reading = read_exports(paths, config=config)
        if reading.problems:
            raise ValueError(f"{annotations}: {reading.problems[0]}")
        found.append(list(reading.documents))
    gold, written, furniture = found
    return gold, written, furniture


def read_counts(root: Path) -> list[dict[str, Any]]:
    """What `write_parts` said of the parts.

    Raises ValueError if nothing was written yet.
    """
    path = root / "data" / "parts.json"
    if not path.exists():
        raise ValueError(f"{path}: not there; write the data first: run.py data")
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return records


def _part(root: Path, protocol: str, number: int) -> Part:
    return Part(protocol, number, root / "data" / protocol / str(number))


def _counts(documents: tuple[Document, ...]) -> dict[str, int]:
    return {
        "documents": len(documents),
        "words": sum(len(d.text.split()) for d in documents),
        "entities": sum(len(d.entities) for d in documents),
        "relations": sum(len(d.relations) for d in documents),
    }
