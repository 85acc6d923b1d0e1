"""Runs from start to end: train and save, cross-validate, and the record of how it was done."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import importlib.metadata
import json
import multiprocessing
import os
import platform
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pressgang import training
from pressgang.baseline import Baseline
from pressgang.config import RunConfig
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document
from pressgang.evaluation import Report, evaluate
from pressgang.extractor import Extractor
from pressgang.files import sha256, write_json
from pressgang.pretrained import locate
from pressgang.schema import Schema
from pressgang.splits import Fold, folds, shared_runs

_PACKAGES = (
    "pressgang",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "numpy",
    "safetensors",
)
_SIDES = ("predicted", "predicted_on_gold", "baseline", "baseline_on_gold")


def train(
    config: RunConfig,
    documents: Sequence[Document],
    colors: dict[str, str],
    output: Path,
    *,
    run: dict[str, Any],
    resume: bool = False,
    console: Console | None = None,
) -> Extractor:
    """Train on the documents and save the model, its baseline and the record of the run.

    `run` is what the caller knows of the run (data files, command); the rest is added. In a run of
    several processes only the first writes.
    """
    started = time.perf_counter()
    checkpoint = output / "checkpoint"
    trained = training.train(
        config,
        documents,
        Schema.from_documents(documents, colors=colors),
        checkpoint=checkpoint,
        resume=resume,
        console=console,
    )
    if not training.is_main_process():
        return trained.extractor
    trained.extractor.save(output)
    write_json(output / "baseline.json", Baseline.fit(documents).to_dict())
    record = (
        run
        | describe(config)
        | {
            "seconds": round(time.perf_counter() - started, 1),
            "parameters": trained.n_parameters,
            "processes": trained.n_processes,
            "trained_on": {
                "documents": len(documents),
                "entities": sum(len(d.entities) for d in documents),
                "relations": sum(len(d.relations) for d in documents),
                "entities_not_learnable": trained.n_lost_entities,
                "relations_not_learnable": trained.n_lost_relations,
                "relations_wider_than_a_window": trained.n_far_relations,
            },
        }
    )
    write_json(output / "run.json", record)
    training.remove(checkpoint)
    return trained.extractor


def test(extractor: Extractor, baseline: Baseline, gold: Sequence[Document], seed: int) -> Report:
    """The scores of a model and of its baseline on gold documents that neither has seen."""
    sides = _predict(extractor, baseline, gold)
    surfaces = frozenset(baseline.lexicon)
    return evaluate(gold, **sides, seen={d.id: surfaces for d in gold}, seed=seed)


def cross_validate(
    config: RunConfig,
    documents: Sequence[Document],
    output: Path,
    *,
    training_only: Sequence[Document],
    n_folds: int,
    n_jobs: int,
    run: dict[str, Any],
    console: Console,
) -> tuple[Report, dict[str, Any]]:
    """Train a model for each fold, and score what all of them predict for documents unseen.

    A fold's predictions are kept in `output`; a run that was stopped goes on with the folds that
    are missing. `n_jobs` folds are trained side by side, each with its share of the cores.

    Raises ValueError if `output` holds the folds of another run.
    """
    parts = folds(documents, n_folds, seed=config.seed, training_only=training_only)
    fingerprint = {
        "fingerprint": training.fingerprint(config, [*training_only, *documents]),
        "folds": len(parts),
    }
    marker = output / "folds" / "run.json"
    if marker.exists() and json.loads(marker.read_text(encoding="utf-8")) != fingerprint:
        raise ValueError(f"{output}: holds the folds of a run with other settings or data")
    marker.parent.mkdir(parents=True, exist_ok=True)
    write_json(marker, fingerprint)
    started = time.perf_counter()
    places = [output / "folds" / f"{index:02d}" for index in range(len(parts))]
    missing = [(f, p) for f, p in zip(parts, places, strict=True) if not (p / "done.json").exists()]
    n_threads = max(1, (os.cpu_count() or 1) // n_jobs)
    console.print(f"{len(parts)} folds, {len(missing)} to train, {n_jobs} side by side")
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        n_jobs, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        tasks = [pool.submit(_run_fold, config, f, p, n_threads) for f, p in missing]
        try:
            for task in concurrent.futures.as_completed(tasks):
                console.print(task.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    report = _collect(parts, places, config.seed)
    done = [json.loads((p / "done.json").read_text(encoding="utf-8")) for p in places]
    shared = [shared_runs(part) for part in parts]
    left_out = "leave one article out" if not n_folds else "folds grouped by article"
    record = (
        run
        | describe(config)
        | {
            "protocol": f"cross-validation, {left_out}, {len(parts)} folds: every document is "
            "predicted by a model, and a baseline, that was trained on the others only (last "
            "epoch, no selection on the test fold); "
            f"{sum(s for s, _ in shared):,} of {sum(n for _, n in shared):,} runs of eight words "
            "in the test articles also stand in their training articles",
            "seconds": round(sum(d["seconds"] for d in done), 1),
            "wall_seconds": round(time.perf_counter() - started, 1),
            "parameters": done[0]["parameters"],
            "n_folds": len(parts),
        }
    )
    return report, record


def describe(config: RunConfig) -> dict[str, Any]:
    """Settings, versions and machine of a run, for its record."""
    return {
        "config": json.loads(json.dumps(dataclasses.asdict(config))),
        "seed": config.seed,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
        "machine": _machine(),
        "encoder": _encoder(config.encoder),
    }


def read_model(folder: Path, *, device: str = "auto") -> tuple[Extractor, Baseline]:
    """A saved model and its baseline.

    Raises ValueError if the folder holds none.
    """
    extractor = Extractor.load(folder, device=device)
    path = folder / "baseline.json"
    try:
        return extractor, Baseline.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not the baseline of a model ({error})") from None


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: a second run must not meet it in the same folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_fold(config: RunConfig, fold: Fold, place: Path, n_threads: int) -> str:
    """Train and test one fold in a process of its own; one line on how it went."""
    torch.set_num_threads(n_threads)
    started = time.perf_counter()
    trained = training.train(
        config,
        fold.train,
        Schema.from_documents(fold.train),
        checkpoint=place / "checkpoint",
        resume=True,
        console=Console(quiet=True),
    )
    baseline = Baseline.fit(fold.train)
    for side, predicted in _predict(trained.extractor, baseline, fold.test).items():
        write_documents(place / f"{side}.jsonl", predicted)
    write_json(place / "seen.json", sorted(baseline.lexicon))
    seconds = round(time.perf_counter() - started, 1)
    write_json(place / "done.json", {"seconds": seconds, "parameters": trained.n_parameters})
    training.remove(place / "checkpoint")
    return f"{place.name}: {', '.join(d.id for d in fold.test)} ({seconds:.0f} s)"


def _predict(
    extractor: Extractor, baseline: Baseline, gold: Sequence[Document]
) -> dict[str, list[Document]]:
    """What model and baseline say of the texts alone, and of the texts with gold entities."""
    unlabelled = [Document(d.id, d.text) for d in gold]
    bare = [Document(d.id, d.text, d.entities) for d in gold]
    return {
        "predicted": list(extractor.predict_many(unlabelled)),
        "predicted_on_gold": list(extractor.relate_many(bare)),
        "baseline": [baseline.predict(d.id, d.text) for d in gold],
        "baseline_on_gold": [baseline.relate(d) for d in bare],
    }


def _collect(parts: Sequence[Fold], places: Sequence[Path], seed: int) -> Report:
    """The report over the predictions of all folds."""
    gold = [d for part in parts for d in part.test]
    sides = {
        side: [d for place in places for d in read_documents(place / f"{side}.jsonl")]
        for side in _SIDES
    }
    seen: dict[str, frozenset[str]] = {}
    for part, place in zip(parts, places, strict=True):
        surfaces = frozenset(json.loads((place / "seen.json").read_text(encoding="utf-8")))
        seen |= {d.id: surfaces for d in part.test}
    return evaluate(gold, **sides, seen=seen, seed=seed)


def _machine() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text(encoding="utf-8"))
        cpu = found[1] if found else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gib": round(memory), "gpu": gpu}


def _encoder(name: str) -> dict[str, Any]:
    weights = Path(locate(name)) / "model.safetensors"
    return {"name": name, "sha256": sha256(weights) if weights.is_file() else None}
