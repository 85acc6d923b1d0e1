"""What the machine can multiply, what our model has to, and where our time goes.

    python speed_ceiling.py job.json result.json STARTED

Runs in pressgang's own environment. A multiply-add is one product and one sum.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from speed_process import repeated

import pressgang
from pressgang.model.extractor import Extractor

ENCODER_GRAPH = "encoder.onnx"
INTEGER_PRODUCTS = ("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul")
SHAPES = ((1024, 384, 1536), (1024, 1536, 384), (2048, 2048, 2048))
"""Rows, depth and columns: two layers of a small encoder over 1,024 tokens, and a large product."""

_SECONDS = 1.0
"""How long each product is repeated."""


def main() -> None:
    """Measure the machine and the model."""
    job, output = (Path(argument) for argument in sys.argv[1:3])
    given = json.loads(job.read_text(encoding="utf-8"))
    texts = repeated(given["articles"], given["words"])
    model = Path(given["model"])
    result = {"peak": peaks(given["threads"])} | stages(model, texts)
    output.write_text(json.dumps(result), encoding="utf-8")


def peaks(threads: int) -> dict[str, list[dict[str, Any]]]:
    """Multiply-adds a second, in thousands of millions, of products of each type and shape.

    Each is the fastest of many: the machine's best, not its average.
    """
    return {
        name: [
            {"shape": shape, "gmacs": math.prod(shape) / _fastest(_product(shape, name, threads))}
            for shape in SHAPES
        ]
        for name in ("int8", "float32")
    }


def stages(model: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Seconds by stage over the texts, and the encoder's multiply-adds for each of their words.

    `encoder` includes the tag head; `rest` is windows, batches, decoding of tags and relations,
    calibration and Documents.
    """
    extractor = pressgang.load(model, device="cpu")
    seconds = {"tokenizing": 0.0, "encoder": 0.0, "pairs": 0.0}
    lengths: list[int] = []
    watched = _watched(extractor, seconds, lengths)
    for _ in watched.predict_many(texts[:2]):
        pass
    lengths.clear()
    seconds.update(dict.fromkeys(seconds, 0.0))
    started = time.perf_counter()
    for _ in watched.predict_many(texts):
        pass
    total = time.perf_counter() - started
    n_words = sum(len(text.split()) for text in texts)
    linear, n_attention, width = encoder_products(model, extractor)
    return {
        "stages": seconds | {"rest": total - sum(seconds.values())},
        "seconds": total,
        "words": n_words,
        "tokens_per_word": sum(lengths) / n_words,
        "linear_macs_per_word": linear * sum(lengths) / n_words,
        "attention_macs_per_word": n_attention
        * width
        * sum(length**2 for length in lengths)
        / n_words,
    }


def encoder_products(model: Path, extractor: Extractor) -> tuple[int, int, int]:
    """Weights that each token meets, products of tokens with tokens, and the encoder's width."""
    if (model / ENCODER_GRAPH).is_file():
        return _graph_products(model / ENCODER_GRAPH)
    from torch import nn

    encoder: Any = extractor.runtime.model.encoder
    weights = [m.weight.numel() for m in encoder.modules() if isinstance(m, nn.Linear)]
    return sum(weights), 2 * encoder.config.num_hidden_layers, encoder.config.hidden_size


def _graph_products(path: Path) -> tuple[int, int, int]:
    import onnx

    graph = onnx.load(str(path)).graph
    constants = {tensor.name: tensor.dims for tensor in graph.initializer}
    integer = [node for node in graph.node if node.op_type in INTEGER_PRODUCTS]
    weights = [math.prod(constants[node.input[1]]) for node in integer]
    free = [n for n in graph.node if n.op_type == "MatMul" and n.input[1] not in constants]
    hidden = next(output for output in graph.output if output.name == "hidden")
    return sum(weights), len(free), int(hidden.type.tensor_type.shape.dim[-1].dim_value)


def _watched(extractor: Extractor, seconds: dict[str, float], lengths: list[int]) -> Extractor:
    """The extractor with its stages timed and the tokens of each window noted."""

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = function(*arguments)
            seconds[stage] += time.perf_counter() - started
            if stage == "encoder":
                lengths.extend(arguments[0].mask.sum(axis=1).tolist())
            return result

        return run

    runtime, text_encoder = extractor.runtime, extractor.text_encoder
    return dataclasses.replace(
        extractor,
        runtime=_Instead(
            runtime,
            encode=timed("encoder", runtime.encode),
            relate=timed("pairs", runtime.relate),
        ),
        text_encoder=_Instead(text_encoder, encode=timed("tokenizing", text_encoder.encode)),
    )


class _Instead:
    """An object with some of its methods replaced."""

    def __init__(self, inner: Any, **methods: Callable[..., Any]) -> None:
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _product(shape: tuple[int, int, int], name: str, threads: int) -> Callable[[], Any]:
    """A product of that type and shape by ONNX Runtime, the right side constant as weights are."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rows, depth, columns = shape
    random = np.random.default_rng(13)
    left, right = random.integers(0, 64, (rows, depth)), random.integers(0, 64, (depth, columns))
    if name == "int8":
        left, right = left.astype(np.uint8), right.astype(np.int8)
        product, left_type, type_ = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    else:
        left, right = left.astype(np.float32), right.astype(np.float32)
        product, left_type, type_ = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(product, ["a", "b"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", left_type, [rows, depth])],
        [helper.make_tensor_value_info("y", type_, [rows, columns])],
        [numpy_helper.from_array(right, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"a": left})


def _fastest(run: Callable[[], Any]) -> float:
    """The shortest of the times that a call took within a second, in nanoseconds."""
    run()
    times: list[int] = []
    for _ in itertools.count():
        started = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - started)
        if sum(times) > _SECONDS * 1e9:
            break
    return min(times)


if __name__ == "__main__":
    main()
