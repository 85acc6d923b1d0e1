"""The exported graphs against the torch modules, and integers against floating point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pressgang.config import ModelConfig
from pressgang.model.exported_weights import read_weights
from pressgang.model.joint_model import JointModel
from pressgang.model.onnx_runtime import OnnxRuntime
from pressgang.model.pretrained import load_encoder
from pressgang.model.torch_runtime import TorchRuntime
from pressgang.shipping.graphs import write_graphs
from pressgang.shipping.quantization import quantize, round_columns
from pressgang.text.batches import SpanBatch, WindowBatch
from tests.encoders import FAMILIES, build_encoder

LONGEST = 160


def window_batch(lengths: list[int], seed: int = 0) -> WindowBatch:
    random = np.random.default_rng(seed)
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    n_words = max(1, max(lengths) // 2)
    first = np.minimum(np.arange(n_words) * 2, np.array(lengths)[:, None] - 1)
    tokens, shapes = random.integers(5, 60, mask.shape), random.integers(1, 33, mask.shape)
    return WindowBatch(tokens * mask, shapes * mask, mask, first)


def span_batch(lengths: list[int], n_spans: int, n_pairs: int, seed: int = 0) -> SpanBatch:
    random = np.random.default_rng(seed)
    window = np.sort(random.integers(0, len(lengths), n_spans))
    first = random.integers(0, np.array(lengths)[window])
    last = random.integers(first, np.array(lengths)[window])
    sizes = np.bincount(window, minlength=len(lengths))
    place = np.arange(n_spans) - (np.cumsum(sizes) - sizes)[window]
    grid = np.zeros((len(lengths), sizes.max()), dtype=np.int64)
    grid[window, place] = np.arange(n_spans)
    head = random.integers(0, n_spans, n_pairs)
    tail = np.array([random.choice(np.flatnonzero(window == window[h])) for h in head])
    return SpanBatch(
        *(window, first, last, random.integers(0, 3, n_spans), head, tail),
        *(random.integers(0, 5, n_pairs), grid, place),
    )


def small_model(folder: Path) -> JointModel:
    encoder, _ = load_encoder(str(folder), dropout=0.0)
    torch.manual_seed(0)
    model = JointModel(
        encoder, n_labels=3, n_relations=4, config=ModelConfig(pair_width=16, label_width=4)
    )
    for parameter in model.parameters():  # as after training: none all zeros, no two alike
        parameter.data += 0.02 * torch.randn_like(parameter)
    return model.eval()


def read(folder: Path) -> OnnxRuntime:
    return OnnxRuntime(
        (folder / "encoder.onnx").read_bytes(), (folder / "pairs.onnx").read_bytes(), n_threads=1
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_graphs_of_any_encoder_compute_what_torch_does(family: str, tmp_path: Path) -> None:
    model = small_model(build_encoder(family, tmp_path / family))
    write_graphs(model, tmp_path, window_tokens=LONGEST, in_8_bits=False)
    torch_runtime, onnx_runtime = TorchRuntime(model, device="cpu"), read(tmp_path)
    cases = [([1], 1, 1), ([2], 2, 1), ([24, 24, 24], 7, 5), ([7, 130, 7, 1], 9, 30)]
    for lengths, n_spans, n_pairs in [*cases, ([LONGEST], 5, 3), ([9, 9], 1, 1)]:
        batch = window_batch(lengths)
        hidden, logits = torch_runtime.encode(batch)
        found, tags = onnx_runtime.encode(batch)
        inside = batch.mask.astype(bool)
        assert np.allclose(found[inside], hidden.numpy()[inside], atol=2e-4), lengths
        assert np.allclose(tags, logits, atol=2e-4), lengths
        pairs = span_batch(lengths, n_spans, n_pairs)
        expected = torch_runtime.relate(hidden, pairs)
        assert np.allclose(onnx_runtime.relate(found, pairs), expected, atol=2e-4), lengths
    check_that_weights_can_be_read_back(model, tmp_path)


def check_that_weights_can_be_read_back(model: JointModel, folder: Path) -> None:
    graphs = [folder / "encoder.onnx", folder / "pairs.onnx"]
    for path in graphs:
        quantize(path, least_width=8)
    found = read_weights(path.read_bytes() for path in graphs)
    lost = {name for name, _ in model.named_parameters()} - found.keys()
    # DeBERTa's positions go through a layer that depends on no input: the exporter computes it.
    assert not lost or model.encoder.config.model_type == "deberta-v2", lost
    for name, parameter in model.named_parameters():
        if name in lost:
            continue
        weight, step = parameter.detach().numpy(), parameter.detach().abs().max().item() / 63
        assert found[name].shape == weight.shape, name
        assert np.abs(found[name] - weight).max() <= 0.51 * step, name


def matmul(weight: np.ndarray, *, as_gemm: bool = False) -> onnx.ModelProto:
    """x [M, K] times a weight [K, N]; as Gemm its transpose is stored, and a bias is added."""
    stored = [numpy_helper.from_array(weight.T.copy() if as_gemm else weight, "w")]
    if as_gemm:
        stored.append(numpy_helper.from_array(np.ones(weight.shape[1], dtype=np.float32), "b"))
        node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    else:
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("x", weight.shape[0]), ("y", weight.shape[1]))
    ]
    graph = helper.make_graph([node], "product", sides[:1], sides[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(path: Path, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("as_gemm", [False, True])
def test_products_of_integers_are_near_those_of_reals(tmp_path: Path, as_gemm: bool) -> None:
    random = np.random.default_rng(0)
    weight = random.normal(size=(96, 80)).astype(np.float32)
    x = random.normal(size=(50, 96)).astype(np.float32)
    x[:, 3] *= 20  # the large column that one scale for all rows would suffer from
    x[7] *= 1000
    x[9] = 0
    onnx.save(matmul(weight, as_gemm=as_gemm), path := str(tmp_path / "m.onnx"))
    quantize(Path(path), least_width=64)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "MatMulIntegerToFloat" in kinds
    assert not kinds & {"MatMul", "Gemm"}
    expected = x @ weight + as_gemm
    found = run(Path(path), x)
    size = np.abs(x @ weight).mean(axis=1) + 1e-9
    assert (np.abs(found - expected).mean(axis=1) / size).max() < 0.06
    assert np.array_equal(found[9], expected[9])


def test_a_row_is_the_same_to_the_bit_whatever_the_others_are(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    path = tmp_path / "m.onnx"
    onnx.save(matmul(random.normal(size=(96, 80)).astype(np.float32)), str(path))
    quantize(path, least_width=64)
    x = random.normal(size=(33, 96)).astype(np.float32)
    x[5] *= 1e4
    whole = run(path, x)
    for row in range(len(x)):
        assert np.array_equal(run(path, x[row : row + 1])[0], whole[row])


def test_sums_of_the_largest_integers_do_not_overflow(tmp_path: Path) -> None:
    weight = np.ones((64, 64), dtype=np.float32)
    weight[:, ::2] = -1
    path = tmp_path / "m.onnx"
    onnx.save(matmul(weight), str(path))
    quantize(path, least_width=64)
    for sign in (1.0, -1.0):
        x = np.full((3, 64), sign, dtype=np.float32)
        assert np.allclose(run(path, x), x @ weight, rtol=1e-5)


def test_narrow_matrices_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(matmul(np.ones((64, 63), dtype=np.float32)), str(path))
    quantize(path, least_width=64)
    assert [node.op_type for node in onnx.load(str(path)).graph.node] == ["MatMul"]


def test_a_column_of_zeros_has_a_scale() -> None:
    weight = np.zeros((4, 2), dtype=np.float32)
    weight[:, 1] = [0.75, -1.0, 0.25, 0.0]
    integers, scale = round_columns(weight)
    assert integers[:, 0].tolist() == [0, 0, 0, 0]
    assert integers[:, 1].tolist() == [47, -63, 16, 0]
    assert np.isfinite(scale).all()
