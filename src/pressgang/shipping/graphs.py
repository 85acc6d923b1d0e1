"""The two calls of a trained model as ONNX graphs.

Both are traced from the modules that torch itself runs. Linear layers and token embeddings become
8-bit integers in the graphs; `quantization` says how.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pressgang.model.exported_weights import name_weights
from pressgang.model.folders import ENCODER_GRAPH, PAIR_GRAPH
from pressgang.model.joint_model import JointModel
from pressgang.shipping.quantization import quantize
from pressgang.text.encoding import MAX_WORD_TOKENS

OPSET = 20
LEAST_WIDTH = 64
"""A matrix with fewer rows or columns stays in 32 bits: it costs nothing, and the layers that give
the final logits are among these."""

_PAIR_INPUTS: Mapping[str, tuple[str, ...]] = {
    "hidden": ("windows", "tokens"),
    "window": ("spans",),
    "first": ("spans",),
    "last": ("spans",),
    "label": ("spans",),
    "head": ("pairs",),
    "tail": ("pairs",),
    "distance": ("pairs",),
    "grid": ("windows", "columns"),
    "place": ("spans",),
}
_ENCODER_INPUTS: Mapping[str, tuple[str, ...]] = {
    "tokens": ("windows", "tokens"),
    "shapes": ("windows", "tokens"),
    "first": ("windows", "words"),
}


class _Encoder(nn.Module):
    """`JointModel.encode` over windows without padding."""

    def __init__(self, model: JointModel, *, in_8_bits: bool) -> None:
        super().__init__()
        self.model = model
        self.embedding: nn.Module = model.encoder.get_input_embeddings()
        if in_8_bits:
            self.embedding = _QuantizedEmbedding(model.encoder.get_input_embeddings().weight)

    def forward(self, tokens: Tensor, shapes: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.embedding(tokens) + self.model.shape_embedding(shapes)
        return self.model.encode_embedded(embedded, None, first)


class _QuantizedEmbedding(nn.Module):
    """Token embeddings as 8-bit integers, a scale for each token."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        scale = (weight.detach().abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
        self.scales: Tensor
        self.integers: Tensor
        self.register_buffer("scales", scale)
        self.register_buffer("integers", (weight.detach() / scale).round().to(torch.int8))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.integers[tokens].float() * self.scales[tokens]


class _Pairs(nn.Module):
    """`JointModel.relate`, with maxima over as many tokens as a window can have."""

    def __init__(self, model: JointModel, *, n_levels: int) -> None:
        super().__init__()
        self.pair_head = model.pair_head
        self.n_levels = n_levels

    def forward(self, *arguments: Tensor) -> Tensor:
        logits: Tensor = self.pair_head(*arguments, n_levels=self.n_levels)
        return logits


def write_graphs(
    model: JointModel,
    folder: Path,
    *,
    window_tokens: int,
    in_8_bits: bool = True,
    least_width: int = LEAST_WIDTH,
) -> None:
    """Write `encoder.onnx` and `pairs.onnx`; the model must be on the CPU and in `eval` mode.

    No window is longer than `window_tokens`, save for a single long word.

    Raises ValueError naming the encoder if torch cannot export it.
    """
    longest = max(window_tokens, MAX_WORD_TOKENS + 8)
    graphs: list[tuple[str, nn.Module, dict[str, Tensor], Mapping[str, tuple[str, ...]]]] = [
        (
            ENCODER_GRAPH,
            _Encoder(model, in_8_bits=in_8_bits).eval(),
            _encoder_example(),
            _ENCODER_INPUTS,
        ),
        (
            PAIR_GRAPH,
            _Pairs(model, n_levels=longest.bit_length()).eval(),
            _pair_example(int(model.tag_head.in_features)),
            _PAIR_INPUTS,
        ),
    ]
    for name, module, example, axes in graphs:
        outputs = ["hidden", "tags"] if name == ENCODER_GRAPH else ["relations"]
        try:
            _trace(module, example, axes, outputs, folder / name)
        except Exception as error:
            kind = type(model.encoder).__name__
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ValueError(f"{kind} cannot be exported to ONNX: {reason}") from error
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        name_weights(folder / name, {n: t.detach().numpy() for n, t in tensors.items()})
        if in_8_bits:
            quantize(folder / name, least_width=least_width)


def _trace(
    module: nn.Module,
    example: Mapping[str, Tensor],
    axes: Mapping[str, tuple[str, ...]],
    outputs: list[str],
    path: Path,
) -> None:
    shapes = tuple(dict.fromkeys(range(len(axes[name])), torch.export.Dim.DYNAMIC) for name in axes)
    if isinstance(module, _Pairs):
        shapes = (shapes,)  # type: ignore[assignment]  # its arguments are one *tuple
    with _quiet():
        program: Any = torch.onnx.export(
            module,
            tuple(example[name] for name in axes),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(axes),
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
        program.save(str(path), external_data=False)


def _encoder_example() -> dict[str, Tensor]:
    # No two axes alike and none of length 1: equal lengths would be taken for the same axis.
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, 60, (3, 24), generator=generator)
    return {
        "tokens": tokens,
        "shapes": torch.ones_like(tokens),
        "first": torch.arange(10).expand(3, 10).contiguous(),
    }


def _pair_example(width: int) -> dict[str, Tensor]:
    window = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    place = torch.tensor([0, 1, 2, 3, 0, 1, 0])
    first = torch.tensor([1, 4, 9, 15, 2, 7, 3])
    grid = torch.zeros((3, 4), dtype=torch.long)
    grid[window, place] = torch.arange(7)
    head = torch.tensor([0, 1, 2, 0, 4])
    return {
        "hidden": torch.randn(3, 24, width, generator=torch.Generator().manual_seed(0)),
        "window": window,
        "first": first,
        "last": first + 1,
        "label": torch.zeros_like(window),
        "head": head,
        "tail": torch.tensor([1, 0, 3, 3, 5]),
        "distance": torch.zeros_like(head),
        "grid": grid,
        "place": place,
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's progress lines, warnings and log: what matters is raised."""
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
