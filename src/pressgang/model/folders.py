"""Where models are: in a folder, installed, or shipped with this package; and their files."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS, SCHEMA, TOKENIZER = "pressgang.json", "schema.json", "tokenizer.json"
ENCODER_FORM, WEIGHTS = "encoder.json", "model.safetensors"
CALIBRATION = "calibration.json"
ENCODER_GRAPH, PAIR_GRAPH = "encoder.onnx", "pairs.onnx"
EXPORTED = (SETTINGS, SCHEMA, TOKENIZER, ENCODER_FORM, ENCODER_GRAPH, PAIR_GRAPH)
TRAINED = (SETTINGS, SCHEMA, TOKENIZER, ENCODER_FORM, WEIGHTS)

GROUP = "pressgang.models"
"""The entry points of installed models: a name, and the module whose folder is the model."""

_VARIABLE = "PRESSGANG_MODEL"
SHIPPED = Path(__file__).parents[1] / "shipped"


def find_model(model: str | Path | None = None) -> Path:
    """The folder of the model that is named, else that PRESSGANG_MODEL names, else the shipped one.

    What is named is a folder, or where there is no such folder an installed model.

    Raises ValueError if there is no such model.
    """
    if model is None:
        model = os.environ.get(_VARIABLE) or None
    if model is None:
        if not SHIPPED.is_dir():
            raise ValueError(f"no model comes with this installation: name one, or set {_VARIABLE}")
        return SHIPPED
    folder = Path(model)
    if folder.is_dir():
        return folder
    return _installed(str(model))


def _installed(name: str) -> Path:
    # Imported here: a model in a folder needs none of them, and they take time.
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    from packaging.utils import canonicalize_name

    entries = {canonicalize_name(entry.name): entry.value for entry in entry_points(group=GROUP)}
    module = entries.get(canonicalize_name(name))
    if module is None:
        known = ", ".join(sorted(entries)) or "none"
        raise ValueError(
            f"{name}: no pressgang model here (expected a folder or an installed model; "
            f"installed: {known})"
        )
    spec = find_spec(module)  # finds the folder without running what is in it
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise ValueError(f"{name}: its installation is damaged (there is no folder {module})")
    return Path(folders[0])
