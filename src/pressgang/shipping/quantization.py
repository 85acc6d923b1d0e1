"""Linear layers of an ONNX graph in 8-bit integers.

Weights are stored as 7-bit integers with a scale for each output, and multiplied as integers by
activations that are rounded to 8 bits as the graph runs, with a scale for each row, that is, for
each token or span (Yao et al. 2022, ZeroQuant, section 4.1). One scale for a whole tensor, which is
what onnxruntime's own dynamic quantization does, has three times the error here, because a few
columns are large, and lets what else is in a batch change a result.

Why 7 bits: processors without dot-product instructions add two products of 8 × 8 bits in 16 bits,
where 8-bit weights overflow. 2 × 255 × 63 fits, so the sums are exact, and the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

_WEIGHT_LEVELS = 63
_ACTIVATION_LEVELS = 127
_ZERO = 128
_MICROSOFT = "com.microsoft"

Array = npt.NDArray[Any]


def quantize(path: Path, *, least_width: int) -> None:
    """Rewrite a graph in place: products with a constant matrix become products of integers.

    Matrices with fewer than `least_width` rows or columns stay as they are.
    """
    model = _folded(path)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    rewriter = _Rewriter(constants, least_width)
    nodes = [new for node in _certain(graph.node) for new in rewriter.rewritten(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {o.name for o in graph.output}
    kept = [t for t in (*graph.initializer, *rewriter.initializers) if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    versions = {entry.domain: entry.version for entry in model.opset_import} | {_MICROSOFT: 1}
    domains = sorted({node.domain for node in nodes} | {""})
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(name, versions[name]) for name in domains)
    onnx.save(model, str(path))


def _certain(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes without those that ask whether attention is not a number.

    `Where(IsNaN(x), 0, x)` is there for tokens that may look at nothing; without padding every
    token may look at itself.
    """
    doubted = {node.output[0]: node.input[0] for node in nodes if node.op_type == "IsNaN"}
    same: dict[str, str] = {}
    kept = []
    for node in nodes:
        names = [same.get(name, name) for name in node.input]
        if node.op_type == "Where" and doubted.get(node.input[0]) == node.input[2]:
            same[node.output[0]] = names[2]
        elif node.op_type != "IsNaN":
            node.input[:] = names
            kept.append(node)
    return kept


def _folded(path: Path) -> onnx.ModelProto:
    """The graph with transposed and reshaped weights computed, so that they are constants."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    source = path.read_bytes()
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return onnx.load(str(path))


class _Rewriter:
    """Turns nodes into others; an activation that several products share is rounded once."""

    def __init__(self, constants: dict[str, onnx.TensorProto], least_width: int) -> None:
        self.constants = constants
        self.least_width = least_width
        self.rounded: set[str] = set()
        self.matrices: dict[tuple[str, bool], tuple[str, str]] = {}
        self.initializers = [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (
                ("quantize.one", np.float32(1)),
                ("quantize.zero", np.uint8(_ZERO)),
                ("quantize.levels", np.float32(_ACTIVATION_LEVELS)),
                ("quantize.step", np.float32(1 / _ACTIVATION_LEVELS)),
                ("quantize.least", np.float32(1e-12)),
                ("quantize.axis", np.array([-1], dtype=np.int64)),
            )
        ]

    def rewritten(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The nodes that stand for one; itself if it is no product with a constant matrix."""
        transposed = False
        if node.op_type == "Gemm":
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            transposed = bool(attributes.pop("transB", 0))
            if attributes.pop("transA", 0) or any(v != 1.0 for v in attributes.values()):
                return [node]
        elif node.op_type != "MatMul":
            return [node]
        weight = self.constants.get(node.input[1])
        if weight is None or len(weight.dims) != 2 or min(weight.dims) < self.least_width:
            return [node]
        left, output = node.input[0], node.output[0]
        matrix, scale = self._matrix(node.input[1], transposed=transposed)
        bias = node.input[2] if len(node.input) > 2 else ""
        product = f"{output}.product" if bias else output
        new = [] if left in self.rounded else _round(left)
        self.rounded.add(left)
        new.append(
            helper.make_node(
                "MatMulIntegerToFloat",
                [f"{left}.rounded", matrix, "quantize.one", scale, "quantize.zero"],
                [f"{output}.integers"],
                domain=_MICROSOFT,
            )
        )
        new.append(helper.make_node("Mul", [f"{output}.integers", f"{left}.scale"], [product]))
        if bias:
            new.append(helper.make_node("Add", [product, bias], [output]))
        return new

    def _matrix(self, name: str, *, transposed: bool) -> tuple[str, str]:
        """The names of a weight `[K, N]` as integers, and of its scales `[N]`."""
        key = (name, transposed)
        if key not in self.matrices:
            weight = numpy_helper.to_array(self.constants[name])
            integers, scale = round_columns(weight.T if transposed else weight)
            turned = f"{name}{'.transposed' * transposed}"
            names = (f"{turned}.integers", f"{turned}.scales")
            self.initializers.append(numpy_helper.from_array(integers, names[0]))
            self.initializers.append(numpy_helper.from_array(scale, names[1]))
            self.matrices[key] = names
        return self.matrices[key]


def round_columns(weight: Array) -> tuple[Array, Array]:
    """A matrix `[K, N]` as integers from -63 to 63, and the scale `[N]` of each column."""
    scale = np.maximum(np.abs(weight).max(axis=0) / _WEIGHT_LEVELS, 1e-12).astype(np.float32)
    return np.ascontiguousarray(np.rint(weight / scale).astype(np.int8)), scale


def _round(name: str) -> list[onnx.NodeProto]:
    """Nodes that round an activation `[..., K]`, a scale `[..., 1]` for each row."""
    largest, inverse, scaled = f"{name}.largest", f"{name}.inverse", f"{name}.scaled"
    return [
        helper.make_node("Abs", [name], [f"{name}.absolute"]),
        helper.make_node(
            "ReduceMax", [f"{name}.absolute", "quantize.axis"], [f"{largest}.row"], keepdims=1
        ),
        helper.make_node("Max", [f"{largest}.row", "quantize.least"], [largest]),
        helper.make_node("Div", ["quantize.levels", largest], [inverse]),
        helper.make_node("Mul", [largest, "quantize.step"], [f"{name}.scale"]),
        helper.make_node("Mul", [name, inverse], [scaled]),
        helper.make_node(
            "QuantizeLinear", [scaled, "quantize.one", "quantize.zero"], [f"{name}.rounded"]
        ),
    ]
