"""Root mean squares whose squares overflow fp16 are taken of values between -1 and 1, with the same result."""

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters.fp16_audit import FP16_MAX, Extent
from pocketlens.converters.rewrites.fp16_root_mean_squares import even_out_squares
from tests.converters.graph_builder import GraphBuilder, run
from tests.converters.rewrites.harness import assert_close

SPANS = np.logspace(-3, 4, 4).reshape(4, 1, 1)


def norm(way: str, axes: tuple[int, ...]) -> ir.Model:
    """A norm of channels whose sizes are far apart."""
    builder = GraphBuilder((1, 4, 6, 7))
    x = builder.add("Mul", "x", builder.array(SPANS))
    square = builder.add("Pow", x, builder.array(2)) if way == "pow" else builder.add("Mul", x, x)
    mean = builder.add("ReduceSum" if way == "sum" else "ReduceMean", square, builder.ints(*axes))
    total = mean if way == "sum" else builder.add("Add", mean, builder.array(1e-4))
    if way == "pow":
        builder.add("Mul", x, builder.add("Pow", total, builder.array(-0.5)))
    else:
        builder.add("Div", x, builder.add("Sqrt", total))
    return builder.model()


def squares(model: ir.Model, largest: float) -> list[Extent]:
    return [Extent(str(n.name), n.op_type, "value", largest) for n in model.graph if n.op_type in ("Mul", "Pow")]


@pytest.mark.parametrize("way", ["pow", "mul", "sum"])
@pytest.mark.parametrize("axes", [(1,), (2, 3)])
def test_small_and_large_channels_are_normed_alike(way: str, axes: tuple[int, ...]) -> None:
    model = norm(way, axes)
    picture = {"x": np.random.default_rng(3).standard_normal((1, 4, 6, 7)).astype(np.float32)}
    expected = run(model, picture)
    assert len(even_out_squares(model, squares(model, 1e8))) == 1
    assert_close(run(model, picture), expected)
    (total,) = [node for node in model.graph if node.op_type in ("ReduceMean", "ReduceSum")]
    model.graph.outputs.append(total.inputs[0])
    assert run(model, picture)[1].max() <= 1


def test_squares_that_fit_stay() -> None:
    model = norm("mul", (2, 3))
    assert not even_out_squares(model, squares(model, FP16_MAX / 8))
    assert even_out_squares(model, squares(model, FP16_MAX / 2))
