"""Which documents are trained on, which are tested, and the files that say so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pressgang.corpus import write_documents
from pressgang.document import Document
from pressgang.files import sha256, write_json
from pressgang.label_studio.labeling_config import read_labeling_config
from pressgang.label_studio.tasks import read_exports
from pressgang.splits import Fold, check_apart, folds

PROTOCOLS = {
    "written": "trained on the documents written for training, tested on the articles",
    "folds": "grouped k-fold over the articles: trained on those of the other folds and on the "
    "documents written for training",
}
N_FOLDS = 4
SEED = 13
"""That of `training/default.toml`, so that `cross-validate --folds 4` has the same folds."""


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
    """All trainings of all protocols, whether their files are there or not."""
    numbers = {"written": 1, "folds": N_FOLDS}
    return [
        Part(name, number, root / "data" / name / str(number))
        for name in PROTOCOLS
        for number in range(numbers[name])
    ]


def write_parts(annotations: Path, root: Path) -> list[dict[str, Any]]:
    """Write the files of all parts from the corpus; what each part holds, as JSON types.

    Raises ValueError if a task cannot be read, or a text is on both sides.
    """
    gold, training_only = read_corpus(annotations)
    check_apart(training_only, gold)
    made = {
        "written": [Fold((), tuple(gold), tuple(training_only))],
        "folds": folds(gold, N_FOLDS, seed=SEED, training_only=training_only),
    }
    records = []
    for part in parts(root):
        fold = made[part.protocol][part.number]
        write_documents(part.train, fold.known)
        write_documents(part.test, fold.test)
        records.append(
            {
                "protocol": part.protocol,
                "number": part.number,
                "train": _counts(fold.known),
                "test": _counts(fold.test),
                "tested": [document.id for document in fold.test],
            }
            | {"sha256": part.hashes()}
        )
    write_json(root / "data" / "parts.json", records)
    return records


def read_corpus(annotations: Path) -> tuple[list[Document], list[Document]]:
    """The articles, and the documents for training only.

    Raises ValueError naming the first task that cannot be read.
    """
    config = read_labeling_config(annotations / "labeling_config.xml")
    authored = sorted((annotations / "authored").glob("*.json"))
    gold = read_exports([annotations / "gold.json"], config=config)
    extra = read_exports([*authored, annotations / "furniture.json"], config=config)
    for reading in (gold, extra):
        if reading.problems:
            raise ValueError(f"{annotations}: {reading.problems[0]}")
    return list(gold.documents), list(extra.documents)


def read_counts(root: Path) -> list[dict[str, Any]]:
    """What `write_parts` said of the parts.

    Raises ValueError if nothing was written yet.
    """
    path = root / "data" / "parts.json"
    if not path.exists():
        raise ValueError(f"{path}: not there; write the data first: run.py data")
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return records


def _counts(documents: tuple[Document, ...]) -> dict[str, int]:
    return {
        "documents": len(documents),
        "words": sum(len(d.text.split()) for d in documents),
        "entities": sum(len(d.entities) for d in documents),
        "relations": sum(len(d.relations) for d in documents),
    }
