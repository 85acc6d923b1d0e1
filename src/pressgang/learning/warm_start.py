"""Training that begins with a model which is there already, not with a bare encoder.

The encoder and the shapes are taken over whole, and so is of the heads what both models have in
common: what belongs to labels and relations of the same name, and what belongs to none. The model
may be one as it was trained or an export, whose weights are read back from its graphs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pressgang.files import sha256
from pressgang.model.artefact import MANIFEST, read_sealed
from pressgang.model.exported_weights import EMBEDDINGS, read_weights
from pressgang.model.folders import ENCODER_GRAPH, EXPORTED, PAIR_GRAPH, SCHEMA, WEIGHTS
from pressgang.model.joint_model import JointModel
from pressgang.schema import Schema

_BY_TAG = ("tag_head.weight", "tag_head.bias")
_BY_LABEL = ("pair_head.label_embedding.weight",)
_BY_RELATION = ("pair_head.biaffine", "pair_head.out.weight", "pair_head.out.bias")


def begin_from(model: JointModel, schema: Schema, folder: Path) -> None:
    """Copy into `model`, which has the labels of `schema`, what the model in a folder knows.

    Weights of the heads whose size differs (another `pair_width`) stay as they are.

    Raises ValueError naming the folder if it holds no model, or one with another encoder.
    """
    try:
        old = Schema.from_dict(json.loads((folder / SCHEMA).read_text(encoding="utf-8")))
        state = _weights(folder)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a model to begin from ({error})") from None
    rows = dict.fromkeys(_BY_LABEL, _rows(schema.entity_labels, old.entity_labels))
    rows |= dict.fromkeys(_BY_RELATION, _rows(schema.relation_labels, old.relation_labels))
    # The tags are O, then B and I of each label.
    tags = [f"{mark}-{label}" for label in schema.entity_labels for mark in "BI"]
    old_tags = [f"{mark}-{label}" for label in old.entity_labels for mark in "BI"]
    rows |= dict.fromkeys(_BY_TAG, _rows(["O", *tags], ["O", *old_tags]))
    embeddings = model.encoder.get_input_embeddings().weight
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            known = state.get(name)
            if known is None and parameter is embeddings:
                known = state.get(EMBEDDINGS)
            is_head = name.startswith(("tag_head.", "pair_head."))
            if not is_head and (known is None or known.shape != parameter.shape):
                raise ValueError(f"{folder}: {name} is missing there or has another size")
            if known is not None and known.shape[1:] == parameter.shape[1:]:
                _copy(parameter, known, rows.get(name))


def digest(folder: Path) -> str:
    """The SHA-256 by which a model's weights are known."""
    exported = folder / MANIFEST
    return sha256(exported if exported.is_file() else folder / WEIGHTS)


def _weights(folder: Path) -> dict[str, Tensor]:
    if not (folder / MANIFEST).is_file():
        return load_file(folder / WEIGHTS)
    files = read_sealed(folder, EXPORTED).files
    weights = read_weights((files[ENCODER_GRAPH], files[PAIR_GRAPH]))
    return {name: torch.tensor(weight) for name, weight in weights.items()}


def _rows(wanted: Sequence[str], known: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of the names that both have: in the one, in the other."""
    place = {name: index for index, name in enumerate(known)}
    return [(index, place[name]) for index, name in enumerate(wanted) if name in place]


def _copy(parameter: Tensor, known: Tensor, rows: Sequence[tuple[int, int]] | None) -> None:
    if rows is None:
        if known.shape == parameter.shape:
            parameter.copy_(known)
    elif rows:
        here, there = (list(column) for column in zip(*rows, strict=True))
        parameter[here] = known[there].to(parameter)
