"""What a peer's script is given, and what it gives back.

A script is run in the peer's environment as

    python peers/NAME.py --train train.jsonl --test test.jsonl --output FOLDER ...

It reads JSON Lines of Documents, trains on the former, and writes to the folder `predicted.jsonl`,
the latter with what it found, and `result.json`, how it did that.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pieces import Losses

from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document
from pressgang.files import write_json

ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Job:
    """Documents to train on and to predict, and how.

    `work` is a folder for what the peer writes on the way; it is removed at the end. `passes` is
    how many times the epochs of its recipe a peer makes. `max_steps` is None but in trials. The
    texts of `test` come without annotation.
    """

    train: tuple[Document, ...]
    test: tuple[Document, ...]
    output: Path
    work: Path
    seed: int
    passes: int
    max_steps: int | None
    variant: str

    @property
    def entity_labels(self) -> list[str]:
        """The entity labels in training, in alphabetical order."""
        return sorted({e.label for d in self.train for e in d.entities})

    @property
    def relation_labels(self) -> list[str]:
        """The relation labels in training, in alphabetical order."""
        return sorted({r.label for d in self.train for r in d.relations})

    def split(self, every: int = 10) -> tuple[list[Document], list[Document]]:
        """The training documents, and apart from them every tenth, for peers that stop early."""
        held_out = [d for i, d in enumerate(self.train) if i % every == every - 1]
        return [d for i, d in enumerate(self.train) if i % every != every - 1], held_out


def spoken(labels: Sequence[str]) -> dict[str, str]:
    """The labels by what a prompt calls them: {"HAS_ROLE"} gives {"has role": "HAS_ROLE"}.

    Raises ValueError if two labels have the same name.
    """
    names = {label.replace("_", " ").lower(): label for label in labels}
    if len(names) < len(labels):
        raise ValueError(f"labels differ in case or underscores only: {', '.join(labels)}")
    return names


def read_job(arguments: Sequence[str] | None = None) -> Job:
    """The job on the command line."""
    parser = argparse.ArgumentParser()
    for name in ("train", "test", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--variant", default="")
    parser.add_argument("--limit", type=int, help="documents to train on, in a trial")
    parser.add_argument("--max-steps", type=int, help="steps to train, in a trial")
    given = parser.parse_args(arguments)
    work = given.output / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    train = read_documents(given.train)[: given.limit]
    test = [Document(d.id, d.text) for d in read_documents(given.test)[: given.limit]]
    return Job(
        train=tuple(train),
        test=tuple(test),
        output=given.output,
        work=work,
        seed=given.seed,
        passes=given.passes,
        max_steps=given.max_steps,
        variant=given.variant,
    )


@dataclass
class Stopwatch:
    """Seconds of training or of predicting, loading of libraries not counted.

    `cpu_seconds` is the time of the processor, which a busy machine hardly stretches.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __enter__(self) -> Stopwatch:
        self.seconds -= time.perf_counter()
        self.cpu_seconds -= time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter()
        self.cpu_seconds += time.process_time()


def write_result(
    job: Job,
    predicted: Sequence[Document],
    *,
    training: Stopwatch,
    predicting: Stopwatch,
    parameters: int,
    recipe: Mapping[str, Any],
    counts: Mapping[str, Losses | int],
    packages: Sequence[str],
) -> None:
    """Write the predictions and how they came about, and remove what was written on the way.

    `recipe` holds the settings that were used, `counts` what was cut, left out or not to be mapped.
    """
    write_documents(job.output / "predicted.jsonl", predicted)
    shown = {k: asdict(v) if isinstance(v, Losses) else v for k, v in counts.items()}
    result = {
        "training_seconds": round(training.seconds, 1),
        "training_cpu_seconds": round(training.cpu_seconds, 1),
        "predicting_seconds": round(predicting.seconds, 1),
        "predicting_cpu_seconds": round(predicting.cpu_seconds, 1),
        "parameters": parameters,
        "labels": {"entities": len(job.entity_labels), "relations": len(job.relation_labels)},
        "recipe": dict(recipe) | {"passes": job.passes},
        "counts": shown,
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
    write_json(job.output / "result.json", result)
    shutil.rmtree(job.work, ignore_errors=True)
