"""Weights of files in QDQ form: the floats that onnxruntime makes of them, bit by bit."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters.mend_file import MENDED
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.converters.rewrites.dequantize_weights import DequantizeWeights
from pocketlens.converters.rewrites.passes import run as run_pass
from pocketlens.converters.rounding import LEAST_QUANTIZED, floors_of
from pocketlens.precisions import PRECISIONS
from tests.converters.graph_builder import GraphBuilder, run


@pytest.mark.parametrize("form", ["one scale", "a scale for each channel", "uint8", "no zero point"])
def test_the_same_weights(form: str) -> None:
    g = GraphBuilder((1, 3, 8, 8))
    many = form == "a scale for each channel"
    kind = np.uint8 if form == "uint8" else np.int8
    weights = g.array(g.rng.integers(0, 127, (4, 3, 3, 3)), kind)
    scale = g.array(g.rng.uniform(0.01, 0.1, 4 if many else ()))
    zero = [] if form == "no zero point" else [g.array(np.full(4 if many else (), 7), kind)]
    weights = g.add("DequantizeLinear", weights, scale, *zero, **({"axis": 0} if many else {}))
    bias = g.add("DequantizeLinear", g.array(g.rng.integers(-9999, 9999, 4), np.int32), g.array(np.float32(0.003)))
    g.add("Conv", "x", weights, bias)
    model, picture = g.model(), {"x": g.rng.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)}
    expected = run(model, picture)[0]
    assert run_pass(DequantizeWeights(), model)
    assert [node.op_type for node in model.graph] == ["Conv"]
    assert np.array_equal(run(model, picture)[0], expected)


def test_computed_values_stay() -> None:
    g = GraphBuilder((1, 3, 8, 8))
    scale, zero = g.array(np.float32(0.1)), g.array(3, np.uint8)
    g.add("DequantizeLinear", g.add("QuantizeLinear", "x", scale, zero), scale, zero)
    model = g.model()
    assert not run_pass(DequantizeWeights(), model)
    assert [node.op_type for node in model.graph] == ["QuantizeLinear", "DequantizeLinear"]


def test_a_number_that_is_rounded_becomes_the_number() -> None:
    g = GraphBuilder((1, 3, 8, 8))
    scale, zero = g.array(np.float32(0.0117)), g.array(3, np.uint8)
    number = g.add("DequantizeLinear", g.add("QuantizeLinear", g.array([0.7, -9.0, 9.0]), scale, zero), scale, zero)
    g.add("Mul", "x", g.add("Reshape", number, g.ints(1, 3, 1, 1)))
    model, picture = g.model(), {"x": np.ones((1, 3, 8, 8), np.float32)}
    expected = run(model, picture)[0]
    assert run_pass(DequantizeWeights(), model)
    assert [node.op_type for node in model.graph] == ["Reshape", "Mul"]
    assert np.array_equal(run(model, picture)[0], expected)


def test_a_quantized_file_is_one_that_rounds_by_itself(tmp_path: Path) -> None:
    """Its steps flip, so a file of it has other floors; and its author is told."""
    g = GraphBuilder((1, 3, 8, 8))
    scale, zero = g.array(np.float32(0.1)), g.array(3, np.uint8)
    plain = GraphBuilder((1, 3, 8, 8))
    plain.add("Relu", "x")
    g.add("DequantizeLinear", g.add("QuantizeLinear", "x", scale, zero), scale, zero)
    g.add("Mul", g.last, g.add("DequantizeLinear", g.array([5], np.int8), scale))
    model, floors = g.model(), PRECISIONS["fp32"].floors
    steps = PRECISIONS["int8"].floors
    assert floors.file - floors_of(model, floors).slack == LEAST_QUANTIZED == steps.file - steps.slack
    assert floors_of(model, floors).margin == steps.margin
    assert floors_of(plain.model(), floors) == floors
    ir.save(model, tmp_path / "q.onnx")
    (note,) = read_onnx(tmp_path / "q.onnx").meta[MENDED]
    assert "quantized already: 1 weights" in note and "1 values of the picture" in note
