"""The model behind two calls on arrays, by ONNX Runtime: without torch and transformers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from pressgang.text.batches import SpanBatch, WindowBatch
from pressgang.text.encoding import Ints

Floats = npt.NDArray[np.float64]
Hidden = npt.NDArray[np.float32]

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_RUN_TOKENS = 1024
"""Tokens encoded at once: more gain nothing, and their activations leave the cache."""

_PAIRS = 4096
"""Pairs scored at once."""


class OnnxRuntime:
    """An exported model for prediction, on a CPU or a GPU.

    Windows of equal length are encoded together and others apart, so nothing is ever padded: a
    window costs its own tokens only, and its result does not depend on its company.
    """

    def __init__(
        self, encoder: bytes, pairs: bytes, *, device: str = "auto", n_threads: int | None = None
    ) -> None:
        """A runtime from the two graphs that `graphs` writes.

        On "auto" they run on the CPU, for which they are made. `n_threads` is the number of
        threads; without it OMP_NUM_THREADS, else one for each core that the process may use.

        Raises ValueError if a graph is not one of ours, or the device cannot be used.
        """
        provider = _provider(device)
        threads = n_threads or _usual_threads()
        self._encoder = _session(encoder, provider, threads, ["tokens", "shapes", "first"])
        pair_inputs = ["hidden", *SpanBatch.__dataclass_fields__]
        self._pairs = _session(pairs, provider, threads, pair_inputs)

    def encode(self, batch: WindowBatch) -> tuple[Hidden, Floats]:
        """Hidden states `[B, T, D]` and tag logits `[B, W, n_tags]`, as `TorchRuntime.encode`.

        Hidden states of padding are 0.
        """
        lengths = batch.mask.sum(axis=1)
        hidden: Hidden | None = None
        logits: Hidden | None = None
        for rows in _equally_long(lengths):
            length = int(lengths[rows[0]])
            inputs = {
                "tokens": batch.tokens[rows, :length],
                "shapes": batch.shapes[rows, :length],
                "first": batch.first[rows],
            }
            some_hidden, some_logits = self._encoder.run(["hidden", "tags"], inputs)
            if len(rows) == len(lengths):
                return some_hidden, some_logits.astype(np.float64)
            if hidden is None or logits is None:
                shape = (*batch.tokens.shape, some_hidden.shape[-1])
                hidden = np.zeros(shape, dtype=np.float32)
                logits = np.zeros((*batch.first.shape, some_logits.shape[-1]), dtype=np.float32)
            hidden[rows, :length] = some_hidden
            logits[rows] = some_logits
        if hidden is None or logits is None:
            raise ValueError("a batch without windows")
        return hidden, logits.astype(np.float64)

    def relate(self, hidden: Hidden, batch: SpanBatch) -> Floats:
        """Probabilities `[P, n_relations]` of the relations of each pair, at least one pair."""
        inputs = {name: getattr(batch, name) for name in SpanBatch.__dataclass_fields__}
        pieces = []
        for at in range(0, len(batch.head), _PAIRS):
            piece = {n: inputs[n][at : at + _PAIRS] for n in ("head", "tail", "distance")}
            (logits,) = self._pairs.run(["relations"], {"hidden": hidden} | inputs | piece)
            pieces.append(1.0 / (1.0 + np.exp(-logits.astype(np.float64))))
        return np.concatenate(pieces)

    def save(self, folder: Path) -> None:
        """An export is copied as a folder; this always raises ValueError."""
        raise ValueError(f"{folder}: an export cannot be saved anew; copy its folder")


def _equally_long(lengths: Ints) -> list[Ints]:
    """Rows of equal length, so many at once as are run together."""
    groups = []
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        step = max(1, _RUN_TOKENS // length)
        groups += [rows[at : at + step] for at in range(0, len(rows), step)]
    return groups


def _provider(device: str) -> str:
    if device in ("auto", "cpu"):
        return _CPU
    if device != "cuda":
        raise ValueError(f"device {device!r}; expected auto, cpu or cuda")
    if _CUDA not in onnxruntime.get_available_providers():
        raise ValueError(
            "device cuda was asked for, but this onnxruntime has only the CPU; "
            "install onnxruntime-gpu, or load the trained model that this export was made from"
        )
    return _CUDA


def _session(graph: bytes, provider: str, n_threads: int, inputs: list[str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Shapes differ from run to run: patterns of memory would pile up, and threads that wait for
    # the next run by spinning take the core from the tokenizer.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        providers = [_CPU] if provider == _CPU else [provider, _CPU]
        session = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common class but this one
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"not a graph that onnxruntime reads ({reason})") from None
    if provider not in session.get_providers():  # onnxruntime goes on without what fails
        raise ValueError("device cuda was asked for, but onnxruntime finds no GPU that it can use")
    found = [node.name for node in session.get_inputs()]
    if sorted(found) != sorted(inputs):
        raise ValueError(f"a graph over {', '.join(found)}; expected {', '.join(inputs)}")
    return session


def _usual_threads() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
