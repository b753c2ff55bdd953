"""Norms over one long row: how exact the graph's form is where runtimes read ONNX."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters import openvino
from pocketlens.converters.emitter import Labels
from pocketlens.converters.long_norms import ask_exact_norms, decompose_long_norms
from pocketlens.converters.tflite.lower import lower_graph
from tests.converters.graph_builder import GraphBuilder, run


def _group_norm(shape: tuple[int, ...], groups: int, *, affine: bool) -> GraphBuilder:
    builder = GraphBuilder(shape)
    ones = builder.random(groups) if affine else builder.array(np.ones(groups))
    zeros = builder.random(groups) if affine else builder.array(np.zeros(groups))
    builder.add("InstanceNormalization", builder.add("Reshape", "x", builder.ints(shape[0], groups, -1)), ones, zeros)
    builder.add("Reshape", builder.last, builder.ints(*shape))
    return builder


def _expected(x: np.ndarray, builder: GraphBuilder, groups: int, affine: bool) -> np.ndarray:
    rows = x.astype(np.float64).reshape(x.shape[0], groups, -1)
    normal = (rows - rows.mean(2, keepdims=True)) / np.sqrt(rows.var(2, keepdims=True) + 1e-5)
    if affine:
        again = np.random.default_rng(0)
        terms = [again.uniform(0.5, 1.5, (groups,)) * again.choice([-1, 1], (groups,)) for _ in range(2)]
        scale, shift = (term.astype(np.float32)[:, None] for term in terms)
        normal = normal * scale + shift
    return normal.reshape(x.shape)


def _decibels(found: np.ndarray, expected: np.ndarray) -> float:
    return float(10 * np.log10(np.ptp(expected) ** 2 / np.mean((found - expected) ** 2)))


@pytest.mark.parametrize(("groups", "affine"), [(1, False), (1, True), (2, True)])
def test_long_norms_are_exact(groups: int, affine: bool, tmp_path: Path) -> None:
    """Rows of a million values with a mean: their plain sum in float32 leaves 115 dB and, of more, less."""
    shape = (1, 4, 512, 640)
    builder = _group_norm(shape, groups, affine=affine)
    model = builder.model()
    x = (np.random.default_rng(1).standard_normal(shape) * 0.5 + 2).astype(np.float32)
    expected = _expected(x, builder, groups, affine)
    assert _decibels(run(decompose_long_norms(model), {"x": x})[0], expected) > 125

    import openvino as ov

    openvino.emit(model, "fp32", Labels("norm"), tmp_path / "norm.xml")
    core = ov.Core()
    compiled = core.compile_model(core.read_model(tmp_path / "norm.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert _decibels(compiled(x)[0], expected) > 125


def test_long_norms_of_each_channel_are_exact() -> None:
    """As many pixels as 720 x 1280 has: onnxruntime's own kernel leaves 122 dB."""
    shape = (1, 2, 720, 1280)
    builder = GraphBuilder(shape)
    builder.add("InstanceNormalization", "x", builder.random(2), builder.random(2))
    model = builder.model()
    x = (np.random.default_rng(1).standard_normal(shape) * 0.5 + 2).astype(np.float32)
    again = np.random.default_rng(0)
    scale, shift = (again.uniform(0.5, 1.5, (2,)) * again.choice([-1, 1], (2,)) for _ in range(2))
    rows = x.astype(np.float64)
    normal = (rows - rows.mean((2, 3), keepdims=True)) / np.sqrt(rows.var((2, 3), keepdims=True) + 1e-5)
    expected = normal * scale.astype(np.float32)[:, None, None] + shift.astype(np.float32)[:, None, None]
    plain, spelled = (_decibels(run(one, {"x": x})[0], expected) for one in (model, decompose_long_norms(model)))
    assert spelled > 140 > plain


def test_short_norms_and_the_graph_itself_stay() -> None:
    model = _group_norm((1, 4, 64, 64), 1, affine=True).model()
    assert _operators(decompose_long_norms(model)) == {"Reshape": 2, "InstanceNormalization": 1}
    long = _group_norm((1, 4, 512, 640), 1, affine=True).model()
    assert "InstanceNormalization" not in _operators(decompose_long_norms(long))
    assert _operators(long) == {"Reshape": 2, "InstanceNormalization": 1}


def _operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def test_a_graph_that_needs_it_has_shorter_norms_decomposed(tmp_path: Path) -> None:
    """A mean of 200 beside a deviation of 1: what asks for it stays with the graph when it is stored."""
    builder = GraphBuilder((1, 2, 256, 256))
    builder.add("InstanceNormalization", "x", builder.array(np.ones(2)), builder.array(np.zeros(2)))
    model = builder.model()
    assert _operators(decompose_long_norms(model)) == {"InstanceNormalization": 1}
    assert ask_exact_norms(model)
    hub.save(model, tmp_path / "graph.onnx")
    exact = decompose_long_norms(hub.load(tmp_path / "graph.onnx"))
    assert "InstanceNormalization" not in _operators(exact)
    x = (np.random.default_rng(1).standard_normal((1, 2, 256, 256)) + 200).astype(np.float32)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean((2, 3), keepdims=True)) / np.sqrt(wide.var((2, 3), keepdims=True) + 1e-5)
    assert _decibels(run(exact, {"x": x})[0], expected) > 110
    means = [operator.code for operator in lower_graph(model).operators].count("MEAN")
    assert means == 4, "rows first, in TFLite files too"


def test_a_graph_of_short_norms_does_not_ask_for_it() -> None:
    short = GraphBuilder((1, 2, 32, 48))
    short.add("InstanceNormalization", "x", short.array(np.ones(2)), short.array(np.zeros(2)))
    assert not ask_exact_norms(short.model())


def test_a_graph_whose_long_norms_are_decomposed_anyway_has_no_shorter_ones() -> None:
    """Another try would be the same graph: its group norms are long, its norm of a channel too short for both."""
    builder = _group_norm((1, 4, 512, 640), 1, affine=True)
    small = builder.add("MaxPool", builder.last, kernel_shape=[16, 16], strides=[16, 16])
    builder.add("InstanceNormalization", small, builder.array(np.ones(4)), builder.array(np.zeros(4)))
    model = builder.model()
    assert not ask_exact_norms(model) and not model.metadata_props


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceSum"])
def test_means_and_sums_of_all_values_are_exact(kind: str, keep: int) -> None:
    """A plain sum in float32 leaves 1.7e-4 of the mean of eight million values, and 6e-6 of a million."""
    builder = GraphBuilder((1, 16, 256, 256))
    builder.add(kind, "x", keepdims=keep)
    x = (np.maximum(np.random.default_rng(0).standard_normal((1, 16, 256, 256)), 0) ** 2).astype(np.float32)
    (found,) = run(decompose_long_norms(builder.model()), {"x": x})
    expected = x.mean(dtype=np.float64) if kind == "ReduceMean" else x.sum(dtype=np.float64)
    assert found.shape == ((1,) * 4 if keep else ())
    assert found.item() == pytest.approx(expected, rel=1e-6)
