"""What another tool's file rounds: the same steps, by operators of floats."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters.float_steps import round_in_floats
from tests.converters.graph_builder import GraphBuilder, run

CHW = (1, 3, 6, 5)


def _rounded(g: GraphBuilder, x: str, scale: float, zero: int, kind: type) -> str:
    both = g.array(np.float32(scale)), g.array(zero, kind)
    return g.add("DequantizeLinear", g.add("QuantizeLinear", x, *both), *both)


@pytest.mark.parametrize(("kind", "zero"), [(np.uint8, 0), (np.uint8, 200), (np.int8, -128), (np.int8, 9)])
def test_the_same_steps(kind: type, zero: int) -> None:
    g = GraphBuilder(CHW)
    once = _rounded(g, "x", 0.013, zero, kind)
    g.add("Mul", _rounded(g, g.add("Sigmoid", once), 1 / 256, zero, kind), g.random(3, 1, 1))
    model = g.model()
    picture = {"x": g.rng.uniform(-4, 4, CHW).astype(np.float32)}
    picture["x"].flat[:4] = np.float32(0.013) * np.array([0.5, 1.5, 2.5, -0.5], np.float32)  # the even one of two
    expected = run(model, picture)[0]
    changed = round_in_floats(model)
    assert np.array_equal(run(changed, picture)[0], expected)
    kinds = [node.op_type for node in changed.graph]
    assert kinds == ["Div", "Round", "Clip", "Mul", "Sigmoid", "Div", "Round", "Clip", "Mul", "Mul"]
    assert [node.op_type for node in model.graph][:2] == ["QuantizeLinear", "DequantizeLinear"]


def test_other_pairs_stay() -> None:
    """Another scale behind than before is no rounding, and weights are no values."""
    g = GraphBuilder(CHW)
    scale, zero = g.array(np.float32(0.1)), g.array(3, np.uint8)
    g.add("DequantizeLinear", g.add("QuantizeLinear", "x", scale, zero), g.array(np.float32(0.2)), zero)
    g.add("Mul", g.last, g.add("DequantizeLinear", g.array([5], np.int8), scale))
    model = g.model()
    assert round_in_floats(model) is model


def test_a_file_of_floats_has_no_integers(tmp_path: Path) -> None:
    """Only files of ``int8`` leave OpenVINO quantizers to make integers of."""
    import openvino as ov

    from pocketlens.converters.emitter import Labels, emitter
    from pocketlens.runtimes.openvino import core

    g = GraphBuilder((1, 3, 8, 8))
    _rounded(g, g.add("Relu", _rounded(g, "x", 1.0, 0, np.uint8)), 1.0, 0, np.uint8)
    model: ir.Model = g.model()
    for precision, kinds in (("fp32", 0), ("int8", 1)):
        emitter("openvino").emit(model, precision, Labels("m"), tmp_path / f"{precision}.xml")
        network: ov.Model = core().read_model(tmp_path / f"{precision}.xml")
        found = [op for op in network.get_ordered_ops() if op.get_type_name() in ("FakeQuantize", "Convert")]
        assert bool(found) == bool(kinds), precision
