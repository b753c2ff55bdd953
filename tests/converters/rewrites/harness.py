"""What every pass must keep, and parts of graphs for tests of passes."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import onnx_ir as ir
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from onnx_ir.passes import common

from tests.converters.graph_builder import GraphBuilder, run

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]


quick = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def play(model: ir.Model) -> list[np.ndarray]:
    shape = [int(d) for d in model.graph.inputs[0].shape]  # type: ignore[union-attr,arg-type]
    return run(model, {"x": np.random.default_rng(9).standard_normal(shape).astype(np.float32)})


MIN_PSNR = 100.0
"""Least PSNR, in dB, of what a pass leaves; the peak is the largest value that there was before."""


def assert_close(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """The same values to float rounding."""
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        wide = b.astype(np.float64)
        error, peak = np.sqrt(((a - wide) ** 2).mean()), max(np.abs(wide).max(), 1e-3)
        decibels = 20 * np.log10(peak / max(error, 1e-12 * peak))
        assert decibels >= MIN_PSNR, f"{decibels:.1f} dB"


def check_passes(model: ir.Model, *passes: type[ir.passes.InPlacePass], applies: bool = True) -> Counter[str]:
    """Check that passes keep the values and are done after one go; the operators that are left."""
    before = play(model)
    names = [v.name for v in model.graph.outputs]
    changed = [kind()(model).modified for kind in passes]
    assert any(changed) == applies
    common.ShapeInferencePass()(model)
    assert [v.name for v in model.graph.outputs] == names
    assert_close(play(model), before)
    assert not any(kind()(model).modified for kind in passes)
    return Counter(node.op_type for node in model.graph)


channel = st.sampled_from([(), (1,), (4, 1, 1), (1, 4, 1, 1), (1, 1, 1)])


affine_steps = st.lists(
    st.tuples(st.sampled_from(["Mul", "Add", "Sub", "Div", "rSub", "Neg", "Batch"]), channel), min_size=1, max_size=4
)


def add_affines(builder: GraphBuilder, chosen: Iterable[tuple[str, tuple[int, ...]]]) -> None:
    for op, shape in chosen:
        if op == "Neg":
            builder.add("Neg", builder.last)
        elif op == "Batch":
            terms = [
                builder.random(4),
                builder.random(4),
                builder.random(4),
                builder.array(builder.rng.uniform(0.5, 2, 4)),
            ]
            builder.add("BatchNormalization", builder.last, *terms)
        elif op == "rSub":
            builder.add("Sub", builder.random(*shape), builder.last)
        else:
            builder.add(op, builder.last, builder.random(*shape))


def add_norm(builder: GraphBuilder, way: str, axes: tuple[int, ...], x: str) -> str:
    over = builder.ints(*axes)
    epsilon = builder.array(1e-3)
    mean = (
        builder.add("GlobalAveragePool", x) if axes == (2, 3) and way == "pool" else builder.add("ReduceMean", x, over)
    )
    d = builder.add("Sub", x, mean)
    if way == "moments":
        squares = builder.add("ReduceMean", builder.add("Mul", x, x), over)
        variance = builder.add("Sub", squares, builder.add("Mul", mean, mean))
    else:
        square = builder.add("Pow", d, builder.array(2)) if way == "pow" else builder.add("Mul", d, d)
        variance = builder.add("ReduceMean", square, over)
    if way == "unbiased":
        variance = builder.add("Mul", variance, builder.array(42 / 41))
    total = builder.add("Add", epsilon, variance)
    if way == "power":
        return builder.add("Mul", d, builder.add("Pow", total, builder.array(-0.5)))
    root = builder.add("Sqrt", total)
    if way == "one over":
        return builder.add("Mul", builder.add("Div", builder.array(1), root), d)
    if way == "reciprocal":
        return builder.add("Mul", builder.add("Mul", d, builder.random(4, 1, 1)), builder.add("Reciprocal", root))
    if way == "multiplied out":
        factor = builder.add("Mul", builder.add("Reciprocal", root), builder.random(4, 1, 1))
        rest = builder.add("Sub", builder.random(4, 1, 1), builder.add("Mul", factor, mean))
        return builder.add("Add", rest, builder.add("Mul", x, factor))
    return builder.add("Div", d, root)
