"""Runs from start to end: train, save, test, and the record of how it was done."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pressgang.config import RunConfig
from pressgang.document import Document
from pressgang.evaluation.baseline import Baseline
from pressgang.evaluation.evaluate import Report, evaluate
from pressgang.evaluation.splits import Fold, text_key
from pressgang.files import sha256, write_json
from pressgang.learning import training
from pressgang.model.calibration import Calibration
from pressgang.model.extractor import Extractor
from pressgang.model.pretrained import locate
from pressgang.schema import Schema

_PACKAGES = (
    "pressgang",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "numpy",
    "safetensors",
)

_CANDIDATE = 0.01
"""Relations that score less are no part of a precision-recall curve."""


def train(
    config: RunConfig,
    fold: Fold,
    colors: Mapping[str, str],
    output: Path,
    *,
    run: dict[str, Any],
    resume: bool = False,
    pretraining: Path | None = None,
    console: Console | None = None,
) -> dict[str, Any] | None:
    """Train on what a fold trains on and save the model, its baseline and the record of the run.

    `run` is what the caller knows of the run (data files, command); the rest is added and the whole
    given back. In a run of several processes only the first writes; the others give back None.
    `pretraining` is a folder of weights after the first stage, which runs with the same first stage
    have in common.
    """
    checkpoint = output / "checkpoint"
    documents = fold.known
    schema = Schema.from_documents(documents, colors=colors)
    pretrained = None
    if pretraining is not None:
        pretrained = training.pretrain(
            config, fold.training_only, schema, folder=pretraining, console=console
        )
    started = time.perf_counter()
    trained = training.train(
        config,
        fold.train,
        schema,
        training_only=fold.training_only,
        checkpoint=checkpoint,
        pretrained=pretrained,
        resume=resume,
        console=console,
    )
    if not training.is_main_process():
        return None
    path = config.decoding.calibration
    calibration = None if path is None else Calibration.read(Path(path))
    shared = 0.0 if pretrained is None else trained.seconds[0]
    dataclasses.replace(trained.extractor, calibration=calibration).save(output)
    write_json(output / "baseline.json", Baseline.fit(documents).to_dict())
    record = (
        run
        | describe(config)
        | {
            "seconds": round(shared + time.perf_counter() - started, 1),
            "device": trained.device,
            "precision": trained.precision,
            "parameters": trained.n_parameters,
            "processes": trained.n_processes,
            "trained_on": {
                "documents": len(documents),
                "entities": sum(len(d.entities) for d in documents),
                "relations": sum(len(d.relations) for d in documents),
                "entities_not_learnable": trained.n_lost_entities,
                "relations_not_learnable": trained.n_lost_relations,
                "relations_wider_than_a_window": trained.n_far_relations,
                "texts": sorted({text_key(d.text) for d in documents}),
            },
        }
    )
    record["encoder"] = record["encoder"] | {"parameters": trained.n_encoder_parameters}
    write_json(output / "run.json", record)
    training.remove(checkpoint)
    return record


def test(extractor: Extractor, baseline: Baseline, gold: Sequence[Document], seed: int) -> Report:
    """The scores of a model and of its baseline on gold documents that neither has seen."""
    sides = predict_both(extractor, baseline, gold)
    surfaces = frozenset(baseline.lexicon)
    return evaluate(gold, **sides, seen={d.id: surfaces for d in gold}, seed=seed)


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


def read_run(folder: Path) -> dict[str, Any]:
    """The record of the run that trained the model in a folder.

    Raises ValueError if there is none.
    """
    path = folder / "run.json"
    try:
        record = dict(json.loads(path.read_text(encoding="utf-8")))
        _ = record["data"], record["trained_on"]["texts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the record of a run ({error!r})") from None
    return record


def predict_both(
    extractor: Extractor, baseline: Baseline, gold: Sequence[Document]
) -> dict[str, list[Document]]:
    """What model and baseline say of the texts alone, and of the texts with gold entities.

    The candidates are the model's predictions with all relations that it finds at all likely.
    """
    unlabelled = [Document(d.id, d.text) for d in gold]
    bare = [Document(d.id, d.text, d.entities) for d in gold]
    return {
        "predicted": list(extractor.predict_many(unlabelled)),
        "candidates": list(extractor.with_threshold(_CANDIDATE).predict_many(unlabelled)),
        "predicted_on_gold": list(extractor.relate_many(bare)),
        "baseline": [baseline.predict(d.id, d.text) for d in gold],
        "baseline_on_gold": [baseline.relate(d) for d in bare],
    }


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
