"""Folders that hold a model: as trained, for torch, or as exported, for ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pressgang.config import RunConfig, from_mapping
from pressgang.model.artefact import MANIFEST, read_sealed
from pressgang.model.calibration import Calibration
from pressgang.model.folders import (
    CALIBRATION,
    ENCODER_GRAPH,
    EXPORTED,
    PAIR_GRAPH,
    SCHEMA,
    SETTINGS,
    TOKENIZER,
    TRAINED,
)
from pressgang.schema import Schema
from pressgang.text.batches import SpanBatch, WindowBatch
from pressgang.text.encoding import TextEncoder
from pressgang.text.tagging import Floats

FORMAT = 1


class Runtime(Protocol):
    """A trained model behind two calls on arrays."""

    def encode(self, batch: WindowBatch) -> tuple[Any, Floats]:
        """Hidden states `[B, T, D]`, as `relate` takes them, and tag logits `[B, W, n_tags]`."""

    def relate(self, hidden: Any, batch: SpanBatch) -> Floats:
        """Probabilities `[P, n_relations]` of the relations of each pair, at least one pair."""

    def save(self, folder: Path) -> None:
        """Write the weights to a folder."""


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What a folder holds; a model need not have a calibration."""

    schema: Schema
    text_encoder: TextEncoder
    config: RunConfig
    calibration: Calibration | None
    runtime: Runtime


def read_model(folder: Path, *, device: str = "auto") -> SavedModel:
    """The model in a folder: an export where there is a manifest, else one as it was trained.

    An export needs neither torch nor transformers; "auto" runs it on the CPU.

    Raises ValueError naming the folder or the file if there is no model, it is damaged, or it
    cannot run on the device.
    """
    if (folder / MANIFEST).is_file():
        return _read_exported(folder, device)
    for name in TRAINED:
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no pressgang model here ({name} is missing)")
    names = (SETTINGS, SCHEMA, TOKENIZER, CALIBRATION)
    files = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    schema, text_encoder, config, calibration = _parts(folder, files)
    from pressgang.model.torch_runtime import TorchRuntime

    runtime = TorchRuntime.load(folder, schema, config.model, device=device)
    return SavedModel(schema, text_encoder, config, calibration, runtime)


def _read_exported(folder: Path, device: str) -> SavedModel:
    from pressgang.model.onnx_runtime import OnnxRuntime

    files = read_sealed(folder, EXPORTED).files
    parts = _parts(folder, files)
    try:
        runtime = OnnxRuntime(files[ENCODER_GRAPH], files[PAIR_GRAPH], device=device)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    return SavedModel(*parts, runtime)


def _parts(
    folder: Path, files: Mapping[str, bytes]
) -> tuple[Schema, TextEncoder, RunConfig, Calibration | None]:
    try:
        settings = json.loads(files[SETTINGS])
        if settings.get("format") != FORMAT:
            raise ValueError(f"format {settings.get('format')!r}, expected {FORMAT}")
        schema = Schema.from_dict(json.loads(files[SCHEMA]))
        text_encoder = TextEncoder.from_bytes(files[TOKENIZER])
        config = from_mapping(RunConfig, settings["config"])
        weights = files.get(CALIBRATION)
        calibration = None if weights is None else Calibration.from_dict(json.loads(weights))
    except Exception as error:
        raise ValueError(f"{folder}: the model is damaged ({error})") from None
    return schema, text_encoder, config, calibration
