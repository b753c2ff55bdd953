"""The picture's own quantizer goes where it leaves every pixel as it is, and stays everywhere else."""

import numpy as np
import pytest

from pocketlens.converters.rewrites.drop_pixel_quantizers import DropPixelQuantizers
from pocketlens.converters.rewrites.passes import run as run_pass
from tests.converters.graph_builder import GraphBuilder, run

CHW = (1, 3, 16, 16)


def _rounded(g: GraphBuilder, x: str, scale: float, zero: int, kind: type) -> str:
    both = g.array(np.float32(scale)), g.array(zero, kind)
    return g.add("DequantizeLinear", g.add("QuantizeLinear", x, *both), *both)


def _picture() -> dict[str, np.ndarray]:
    """Every pixel three times."""
    return {"x": np.arange(768, dtype=np.float32).reshape(CHW) % 256}


@pytest.mark.parametrize(
    ("scale", "shift", "step", "zero", "kind"),
    [
        (1 / 255, 0.0, 1 / 255, 0, np.uint8),
        (2 / 255, -1.0039216, 2 / 255, -128 + 128, np.int8),
        (1.0, 0.0, 1.0, -128, np.int8),
    ],
)
def test_every_pixel_stays(scale: float, shift: float, step: float, zero: int, kind: type) -> None:
    g = GraphBuilder(CHW)
    scaled = g.add("Add", g.add("Mul", "x", g.array(np.float32(scale))), g.array(np.float32(shift)))
    turned = g.add("Transpose", scaled, perm=[0, 2, 3, 1])
    g.add("Relu", _rounded(g, turned, step, zero, kind))
    model = g.model()
    expected = run(model, _picture())[0]
    assert run_pass(DropPixelQuantizers(), model)
    assert [node.op_type for node in model.graph] == ["Mul", "Add", "Transpose", "Relu"]
    np.testing.assert_allclose(run(model, _picture())[0], expected, atol=1e-6 * 255)


@pytest.mark.parametrize("form", ["half a step", "too few steps", "a mean for each colour", "two readers", "integers"])
def test_what_rounds_stays(form: str) -> None:
    g = GraphBuilder(CHW)
    factor = g.random(3, 1, 1) if form == "a mean for each colour" else g.array(np.float32(1.0))
    x = g.add("Mul", "x", factor)
    if form == "half a step":
        x = g.add("Add", x, g.array(np.float32(0.5)))
    x = _rounded(g, x, 2.0 if form == "too few steps" else 1.0, 0, np.uint8)
    if form == "two readers":
        g.add("Add", x, "x")
    if form == "integers":  # another layer reads rounded values: the first one is to stay among integers too
        x = _rounded(g, g.add("Conv", x, g.random(4, 3, 1, 1)), 0.5, 7, np.uint8)
        g.add("Conv", x, g.random(4, 4, 1, 1))
    model = g.model()
    before = [node.op_type for node in model.graph]
    assert not run_pass(DropPixelQuantizers(), model)
    assert [node.op_type for node in model.graph] == before
