"""The annotated documents of a run, and what its record says of where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pressgang.config import RunConfig
from pressgang.document import Document
from pressgang.files import sha256
from pressgang.label_studio.labeling_config import LabelingConfig, read_labeling_config
from pressgang.label_studio.tasks import Reading, read_export, read_exports


@dataclass(frozen=True, slots=True)
class RunData:
    """Documents that may be tested on, documents for training only, the labels' colours.

    `record` holds the files with hash and counts, and the problems by kind, as JSON types.
    """

    documents: tuple[Document, ...]
    training_only: tuple[Document, ...]
    colors: Mapping[str, str]
    record: Mapping[str, Any]


def read_run_data(
    settings: RunConfig, exports: Sequence[Path] | None, *, strict: bool, console: Console
) -> RunData:
    """The documents of a run; `exports`, where given, replace those of the configuration.

    Problems are counted on the console. Raises ValueError if nothing is left, or with `strict` if
    there is any problem.
    """
    paths = list(exports or [Path(p) for p in settings.data.exports])
    if not paths:
        raise ValueError("no data: give --data EXPORT, or exports in the configuration")
    paths = files_in(paths)
    extra_paths = files_in([Path(p) for p in settings.data.training_only])
    configured = settings.data.labeling_config
    labels = None if configured is None else read_labeling_config(Path(configured))
    reading, extra = read_exports(paths, config=labels), read_exports(extra_paths, config=labels)
    problems = tell_problems([reading, extra], console)
    stop_if_unusable(reading, n_problems=sum(problems.values()) if strict else 0)
    return RunData(
        reading.documents,
        extra.documents,
        {} if labels is None else labels.colors,
        {"data": describe_files([*paths, *extra_paths], labels), "problems": problems},
    )


def read_gold(
    exports: Sequence[Path], labels: LabelingConfig | None, console: Console
) -> tuple[Document, ...]:
    """The annotated documents of exports; problems are counted on the console.

    Raises ValueError if nothing is left.
    """
    reading = read_exports(files_in(exports), config=labels)
    tell_problems([reading], console)
    stop_if_unusable(reading)
    return reading.documents


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The exports, a folder standing for the `*.json` in it."""
    files = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path}: no *.json in this folder; expected exports")
        files += inside
    return files


def tell_problems(readings: Sequence[Reading], console: Console) -> dict[str, int]:
    """How many problems there are of each kind, after saying so on the console."""
    counts: dict[str, int] = {}
    for reading in readings:
        for kind, n in reading.problem_counts().items():
            counts[kind.value] = counts.get(kind.value, 0) + n
    if counts:
        listed = ", ".join(f"{n} × {kind}" for kind, n in sorted(counts.items()))
        console.print(f"problems in the exports: {listed} (`pressgang check` names each)")
    return counts


def stop_if_unusable(reading: Reading, *, n_problems: int = 0) -> None:
    """Raise ValueError if there is no document, or there are problems that may not be."""
    if not reading.documents:
        raise ValueError("nothing is left to work on: no annotated task can be read")
    if n_problems:
        raise ValueError(f"{n_problems} problems in the exports (--strict)")


def describe_files(paths: Sequence[Path], labels: LabelingConfig | None) -> list[dict[str, Any]]:
    """Name, hash and content of each export, for the record of a run."""
    files = []
    for path in paths:
        documents = read_export(path, config=labels).documents
        counts = {
            "documents": len(documents),
            "entities": sum(len(d.entities) for d in documents),
            "relations": sum(len(d.relations) for d in documents),
        }
        files.append({"path": str(path), "sha256": sha256(path)} | counts)
    return files
