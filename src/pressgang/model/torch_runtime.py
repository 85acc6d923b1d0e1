"""The model behind two calls on arrays: windows to hidden states and tags, pairs to scores.

This is the torch half. Hidden states stay on the device between the two calls.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pressgang.config import ModelConfig
from pressgang.files import write_json
from pressgang.model.joint_model import JointModel, as_tensors
from pressgang.model.pretrained import build_encoder
from pressgang.schema import Schema
from pressgang.text.batches import SpanBatch, WindowBatch

Floats = npt.NDArray[np.float64]

_PAIRS = 16_384
"""Pairs scored at once: the biaffine form holds a vector for each pair and relation."""


def pick_device(wanted: str) -> torch.device:
    """The device to use: "auto" takes a GPU where there is one.

    Raises ValueError if there is no such device, or CUDA is asked for and is not there.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ValueError(f"device {wanted!r}; expected auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {wanted} was asked for, but torch finds no GPU")
    return device


def encoder_record(model: JointModel) -> dict[str, Any]:
    """The configuration of a model's encoder as JSON types."""
    record: dict[str, Any] = json.loads(model.encoder.config.to_json_string(use_diff=False))
    record.pop("_name_or_path", None)  # a path of the machine that trained
    return record


class TorchRuntime:
    """A trained `JointModel` for prediction, on a CPU or a GPU."""

    def __init__(self, model: JointModel, *, device: str = "auto") -> None:
        self.device = pick_device(device)
        self.model = model.eval().to(self.device)

    def encode(self, batch: WindowBatch) -> tuple[Tensor, Floats]:
        """Hidden states `[B, T, D]` (on the device) and tag logits `[B, W, n_tags]`."""
        with torch.inference_mode():
            hidden, logits = self.model.encode(**as_tensors(batch, self.device))
            return hidden, logits.float().cpu().numpy().astype(np.float64)

    def relate(self, hidden: Tensor, batch: SpanBatch) -> Floats:
        """Probabilities `[P, n_relations]` of the relations of each pair, at least one pair."""
        with torch.inference_mode():
            tensors = as_tensors(batch, self.device)
            pieces = []
            for at in range(0, len(batch.head), _PAIRS):
                piece = {
                    name: tensors[name][at : at + _PAIRS] for name in ("head", "tail", "distance")
                }
                logits = self.model.relate(hidden, **(tensors | piece))
                pieces.append(logits.float().sigmoid().cpu().numpy().astype(np.float64))
            return np.concatenate(pieces)

    def save(self, folder: Path) -> None:
        """Write the weights and the encoder's configuration."""
        state = {name: t.detach().cpu().contiguous() for name, t in self.model.state_dict().items()}
        save_file(state, folder / "model.safetensors")
        write_json(folder / "encoder.json", encoder_record(self.model))

    @classmethod
    def load(
        cls, folder: Path, schema: Schema, config: ModelConfig, *, device: str = "auto"
    ) -> TorchRuntime:
        """The runtime that `save` wrote.

        Raises ValueError if the weights do not fit the model.
        """
        encoder = build_encoder(folder / "encoder.json")
        model = JointModel(
            encoder,
            n_labels=len(schema.entity_labels),
            n_relations=len(schema.relation_labels),
            config=config,
        )
        path = folder / "model.safetensors"
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ValueError(f"{path}: not the weights of this model ({error})") from None
        return cls(model, device=device)
