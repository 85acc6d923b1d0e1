"""The weights of a model, read back from the graphs that it was exported as.

What was rounded to 8 bits stays as it was rounded: a model that begins from these weights is as
good as the export is, and training goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

EMBEDDINGS = "embedding"
"""The name here of token embeddings in 8 bits, which each encoder calls differently."""

_TRANSPOSED, _FLAT, _INTEGERS, _SCALES = ".transposed", ".flat", ".integers", ".scales"

Array = npt.NDArray[Any]


def name_weights(path: Path, weights: Mapping[str, Array]) -> None:
    """Give the constants of a graph in a file the names of the weights that they hold.

    The exporter turns matrices as it multiplies by them, and forgets their names. A matrix is
    stored as it is, transposed, or, where it has three axes `[R, K, L]`, flat as `[K, R * L]`.
    """
    model = onnx.load(str(path))
    names: dict[bytes, str] = {}
    for name, weight in weights.items():
        if weight.ndim == 2:
            names[_key(weight.T)] = name + _TRANSPOSED
        if weight.ndim == 3:
            names[_key(_flat(weight))] = name + _FLAT
        if weight.ndim >= 2:
            names[_key(weight)] = name
    new: dict[str, str] = {}
    for tensor in model.graph.initializer:
        found = names.get(_key(numpy_helper.to_array(tensor)))
        if found is not None and found not in new.values():
            new[tensor.name] = tensor.name = found
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
    onnx.save(model, str(path))


def read_weights(graphs: Iterable[bytes]) -> dict[str, Array]:
    """The constants of graphs by name, and so the weights that `name_weights` has named.

    Matrices in 8 bits are given back in 32, each in the form `[out, in]` that torch has.
    """
    weights: dict[str, Array] = {}
    for content in graphs:
        graph = onnx.load_from_string(content).graph
        constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        for name, value in constants.items():
            if name.endswith(_INTEGERS):
                name = name.removesuffix(_INTEGERS)
                value = value.astype(np.float32) * constants[name + _SCALES]
            while name.endswith(_TRANSPOSED):
                name, value = name.removesuffix(_TRANSPOSED), value.T
            if name.endswith(_FLAT):
                name, value = name.removesuffix(_FLAT), _unflattened(value)
            weights[name.removeprefix("model.")] = np.ascontiguousarray(value)
    return weights


def _flat(form: Array) -> Array:
    return form.transpose(1, 0, 2).reshape(form.shape[1], -1)


def _unflattened(matrix: Array) -> Array:
    """The inverse of `_flat` for a form that is as long as it is wide."""
    return matrix.reshape(len(matrix), -1, len(matrix)).transpose(1, 0, 2)


def _key(array: Array) -> bytes:
    """What tells an array from all others: its type, its shape and its content."""
    return f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()
