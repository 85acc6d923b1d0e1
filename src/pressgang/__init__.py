"""Train, evaluate and use entity and relation models from Label Studio projects.

    import pressgang
    document = pressgang.predict("Askar was jailed for ten years.")

`load` gives an `Extractor` for many texts; importing this package imports neither torch nor
transformers.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from pressgang.document import Document, Entity, Relation
from pressgang.model.folders import find_model

if TYPE_CHECKING:
    from pressgang.model.extractor import Extractor

__all__ = ["Document", "Entity", "Relation", "load", "predict"]


def load(model: str | Path | None = None, *, device: str = "auto") -> Extractor:
    """The model in a folder, or installed under a name (`pressgang package` makes such).

    Without one, that which PRESSGANG_MODEL names, else the one that is shipped with this package.
    `device` is "auto", "cpu" or "cuda". Raises ValueError if there is no model, or it is damaged.
    """
    from pressgang.model.extractor import Extractor

    return Extractor.load(find_model(model), device=device)


def predict(text: str) -> Document:
    """The text with the entities and relations that the default model finds in it.

    The model is loaded at the first call. Raises ValueError if there is none.
    """
    return _default().predict(text)


@functools.cache
def _default() -> Extractor:
    return load()
