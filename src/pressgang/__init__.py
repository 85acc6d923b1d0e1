"""Train, evaluate and use entity and relation models from Label Studio projects.

    import pressgang
    document = pressgang.predict("Askar was jailed for ten years.")

`load` gives an `Extractor` for many texts; importing this package imports neither torch nor
transformers.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pressgang.document import Document, Entity, Relation

if TYPE_CHECKING:
    from pressgang.extractor import Extractor

__all__ = ["Document", "Entity", "Relation", "load", "predict"]

_MODEL_VARIABLE = "PRESSGANG_MODEL"
_TRAINED = Path("models", "default")


def load(model: str | Path | None = None, *, device: str = "auto") -> Extractor:
    """The model in a folder; without one, that named by PRESSGANG_MODEL, else `models/default`.

    `device` is "auto", "cpu" or "cuda". Raises ValueError if there is no model, or it is damaged.
    """
    from pressgang.extractor import Extractor

    if model is None:
        model = os.environ.get(_MODEL_VARIABLE) or _TRAINED
        if not Path(model).is_dir():
            raise ValueError(
                f"no model at {model}: train one (`make train`), "
                f"or set {_MODEL_VARIABLE} to the folder of one"
            )
    return Extractor.load(Path(model), device=device)


def predict(text: str) -> Document:
    """The text with the entities and relations that the default model finds in it.

    The model is loaded at the first call. Raises ValueError if there is none.
    """
    return _default().predict(text)


@functools.cache
def _default() -> Extractor:
    return load()
