"""Cross-validation: every article predicted by a model that was trained on the others."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.process
import dataclasses
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pressgang.annotation.label_quality import write_spots
from pressgang.config import RunConfig
from pressgang.corpus import read_documents, write_documents
from pressgang.document import Document
from pressgang.evaluation.baseline import Baseline
from pressgang.evaluation.evaluate import Report, evaluate
from pressgang.evaluation.splits import Fold, folds, shared_runs
from pressgang.files import write_json
from pressgang.learning import training
from pressgang.learning.experiments import describe, predict_both
from pressgang.model.calibration import Calibration
from pressgang.schema import Schema

_SIDES = ("predicted", "predicted_on_gold", "candidates", "baseline", "baseline_on_gold")


def cross_validate(
    config: RunConfig,
    documents: Sequence[Document],
    output: Path,
    *,
    training_only: Sequence[Document],
    n_folds: int,
    n_jobs: int,
    pretraining: Path,
    run: dict[str, Any],
    console: Console,
) -> tuple[Report, dict[str, Any]]:
    """Train a model for each fold, and score what all of them predict for documents unseen.

    A fold's predictions are kept in `output`; a run that was stopped goes on with the folds that
    are missing. `n_jobs` folds are trained side by side, each with its share of the cores. What
    folds have in common is trained once and kept in the folder `pretraining`, by what it was made
    from, so that several runs may share it.

    Raises ValueError if `output` holds the folds of another run.
    """
    parts = folds(documents, n_folds, seed=config.seed, training_only=training_only)
    if not config.training.epochs:  # nothing but pretraining
        parts = [dataclasses.replace(part, train=()) for part in parts]
    everything = Schema.from_documents([*training_only, *documents])
    fingerprint = {
        "fingerprint": training.fingerprint(config, documents, training_only, everything),
        "folds": len(parts),
    }
    marker = output / "folds" / "run.json"
    if marker.exists() and json.loads(marker.read_text(encoding="utf-8")) != fingerprint:
        raise ValueError(f"{output}: holds the folds of a run with other settings or data")
    write_json(marker, fingerprint)
    places = [output / "folds" / f"{index:02d}" for index in range(len(parts))]
    missing = [(f, p) for f, p in zip(parts, places, strict=True) if not (p / "done.json").exists()]
    console.print(f"{len(parts)} folds, {len(missing)} to train, {n_jobs} side by side")
    tasks = [
        (fold, place, _pretrained(config, fold, pretraining, console)) for fold, place in missing
    ]
    _run_folds(config, tasks, n_jobs, console)
    report = _collect(parts, places, output, config.seed, console)
    done = [json.loads((p / "done.json").read_text(encoding="utf-8")) for p in places]
    kind = "folds grouped by article" if n_folds else "leave one article out"
    record = run | describe(config)
    record |= {key: done[0].get(key) for key in ("parameters", "device", "precision")}
    shared = done[0]["stage_seconds"][0] if config.pretraining.epochs else 0.0
    record["seconds"] = round(shared + sum(d["seconds"] for d in done), 1)
    record["encoder"] = record["encoder"] | {"parameters": done[0].get("encoder_parameters")}
    record["protocol"] = _protocol(kind, parts)
    return report, record


def _protocol(kind: str, parts: Sequence[Fold]) -> str:
    """How training and test were kept apart, and how much of the test's wording is in training."""
    shared = [shared_runs(part) for part in parts]
    n_shared, n_runs = sum(s for s, _ in shared), sum(n for _, n in shared)
    n_only = len(parts[0].training_only)
    sources = [f"{n_only} documents for training only"] if n_only else []
    sources += ["the other documents"] if parts[0].train else []
    return (
        f"cross-validation, {kind}, {len(parts)} folds: every document is predicted by a model, "
        f"and a baseline, that was trained on {' and '.join(sources)} (last epoch, no selection on "
        f"the test fold); {n_shared:,} of {n_runs:,} runs of eight words in the test documents "
        "also stand in their training documents"
    )


def _pretrained(config: RunConfig, fold: Fold, folder: Path, console: Console) -> Path | None:
    """The pretrained weights that a fold begins with: the same file for folds that may share it."""
    if not config.pretraining.epochs:
        return None
    return training.pretrain(
        config,
        fold.training_only,
        Schema.from_documents(fold.known),
        folder=folder,
        console=console,
    )


def _run_folds(
    config: RunConfig,
    missing: Sequence[tuple[Fold, Path, Path | None]],
    n_jobs: int,
    console: Console,
) -> None:
    """Train and test folds, several side by side; the first that fails ends the run."""
    n_threads = max(1, (os.cpu_count() or 1) // n_jobs)
    with concurrent.futures.ProcessPoolExecutor(
        n_jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with,
        initargs=(os.getpid(),),
    ) as pool:
        tasks = [pool.submit(_run_fold, config, *task, n_threads) for task in missing]
        try:
            for task in concurrent.futures.as_completed(tasks):
                console.print(task.result())
        except concurrent.futures.process.BrokenProcessPool:
            pool.shutdown(cancel_futures=True)
            raise ValueError(
                "a fold's process was killed, perhaps for want of memory; "
                "the same command goes on with the folds that are missing"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: a second run must not meet it in the same folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_fold(
    config: RunConfig, fold: Fold, place: Path, pretrained: Path | None, n_threads: int
) -> str:
    """Train and test one fold in a process of its own; one line on how it went."""
    torch.set_num_threads(n_threads)
    started = time.perf_counter()
    trained = training.train(
        config,
        fold.train,
        Schema.from_documents(fold.known),
        training_only=fold.training_only,
        pretrained=pretrained,
        checkpoint=place / "checkpoint",
        resume=True,
        console=Console(quiet=True),
    )
    baseline = Baseline.fit(fold.known)
    for side, predicted in predict_both(trained.extractor, baseline, fold.test).items():
        write_documents(place / f"{side}.jsonl", predicted)
    write_json(place / "seen.json", sorted(baseline.lexicon))
    write_spots(place / "spots.json", trained.extractor, fold.test)
    seconds = round(time.perf_counter() - started, 1)
    done = {"seconds": seconds, "device": trained.device, "precision": trained.precision}
    done |= {
        "stage_seconds": trained.seconds,
        "parameters": trained.n_parameters,
        "encoder_parameters": trained.n_encoder_parameters,
    }
    write_json(place / "done.json", done)
    training.remove(place / "checkpoint")
    return f"{place.name}: {', '.join(d.id for d in fold.test)} ({seconds:.0f} s)"


def _collect(
    parts: Sequence[Fold], places: Sequence[Path], output: Path, seed: int, console: Console
) -> Report:
    """The report over the predictions of all folds, and the calibration fitted on all of them."""
    gold = [d for part in parts for d in part.test]
    sides = {side: [read_documents(place / f"{side}.jsonl") for place in places] for side in _SIDES}
    try:
        write_json(output / "calibration.json", _calibrate(gold, sides["predicted"]).to_dict())
        for side in ("candidates", "predicted"):
            sides[side] = _cross_fitted(gold, sides["predicted"], sides[side])
    except ValueError as error:
        console.print(f"scores are left as they are: {error}")
    seen: dict[str, frozenset[str]] = {}
    for part, place in zip(parts, places, strict=True):
        surfaces = frozenset(json.loads((place / "seen.json").read_text(encoding="utf-8")))
        seen |= {d.id: surfaces for d in part.test}
    flat = {side: [d for fold in folds for d in fold] for side, folds in sides.items()}
    return evaluate(gold, **flat, seen=seen, seed=seed)


def _calibrate(gold: Sequence[Document], predicted: Sequence[Sequence[Document]]) -> Calibration:
    return Calibration.fit(gold, [document for fold in predicted for document in fold])


def _cross_fitted(
    gold: Sequence[Document],
    predicted: Sequence[Sequence[Document]],
    scored: Sequence[Sequence[Document]],
) -> list[list[Document]]:
    """What each fold scored, with probabilities fitted on what the other folds predicted."""
    fitted = []
    for fold, documents in zip(predicted, scored, strict=True):
        calibration = _calibrate(gold, [other for other in predicted if other is not fold])
        fitted.append([calibration.apply(document) for document in documents])
    return fitted
