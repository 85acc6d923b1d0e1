"""What the peers are held against: pressgang itself, and its baseline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from protocols import N_FOLDS, Part
from systems import is_done, run_folder, say, write_run

from pressgang.baseline import Baseline
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document
from pressgang.files import sha256

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = {"written": "training/ablation/authored.toml", "folds": "training/default.toml"}
TITLES = {"pressgang": "pressgang", "baseline": "memory of training mentions"}


def train_pressgang(parts: Sequence[Part], root: Path, *, threads: int) -> None:
    """Predictions of `pressgang cross-validate` for these parts, unless they are there.

    The configuration for `written` trains on no article, so all its folds hold the same model.

    Raises ValueError if the command fails, or its folds are not those of the parts.
    """
    config = CONFIGS[parts[0].protocol]
    if all(is_done(run_folder(root, "pressgang", part), part) for part in parts):
        say(f"pressgang, {parts[0].protocol}: done before")
        return
    output = root / "runs" / "pressgang" / parts[0].protocol / "cross-validation"
    command = ["cross-validate", "--config", config, "--output", str(output)]
    command += ["--folds", str(N_FOLDS)]
    say(f"pressgang {' '.join(command)}")
    code = "import torch; torch.set_num_threads({}); from pressgang.cli import main; main()"
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code.format(threads), *command],
        cwd=REPOSITORY,
        env=dict(os.environ) | {"OMP_NUM_THREADS": str(threads)},
    )
    if ended.returncode:
        raise ValueError(f"pressgang cross-validate ended with status {ended.returncode}")
    keep_folds(output, parts, root, config=config, threads=threads)


def keep_folds(
    output: Path, parts: Sequence[Part], root: Path, *, config: str, threads: int
) -> None:
    """The predictions of a finished `cross-validate` as those of the parts.

    Raises ValueError if they are not of the documents that a part tests.
    """
    places = sorted(path.parent for path in output.glob("folds/*/done.json"))
    predicted = [read_documents(place / "predicted.jsonl") for place in places]
    done = [json.loads((place / "done.json").read_text(encoding="utf-8")) for place in places]
    for part in parts:
        test = {document.id for document in read_documents(part.test)}
        chosen = [i for i, found in enumerate(predicted) if test & {d.id for d in found}]
        found = [document for i in chosen for document in predicted[i]]
        if {document.id for document in found} != test:
            raise ValueError(f"{output}: its folds are not those of {part.folder}")
        stages: list[float] = done[chosen[0]].get("stage_seconds") or [0.0]
        seconds = stages[0] + sum(done[i]["seconds"] for i in chosen)
        result = {
            "training_seconds": round(seconds, 1),
            "seconds": round(seconds, 1),
            "parameters": done[chosen[0]].get("parameters"),
            "recipe": {"config": config, "sha256": sha256(REPOSITORY / config)},
        }
        _keep("pressgang", found, part, root, result, threads)


def run_baseline(parts: Sequence[Part], root: Path, *, threads: int) -> None:
    """Predictions of the baseline for these parts."""
    for part in parts:
        started = time.perf_counter()
        baseline = Baseline.fit(read_documents(part.train))
        found = [baseline.predict(d.id, d.text) for d in read_documents(part.test)]
        seconds = round(time.perf_counter() - started, 1)
        result = {"training_seconds": seconds, "seconds": seconds, "parameters": None, "recipe": {}}
        _keep("baseline", found, part, root, result, threads)


SYSTEMS: dict[str, Callable[..., None]] = {"pressgang": train_pressgang, "baseline": run_baseline}


def _keep(
    name: str,
    found: Sequence[Document],
    part: Part,
    root: Path,
    result: dict[str, Any],
    threads: int,
) -> None:
    folder = run_folder(root, name, part)
    write_documents(folder / "predicted.jsonl", found)
    write_run(folder, part, result, threads)
