"""Norms are recognized however they are written, and what is no norm stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_ir.passes import common

from pocketlens.converters.rewrites.recognize_norms import RecognizeNorms
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import add_norm, check_passes, quick

WAYS = ["plain", "pow", "pool", "moments", "unbiased", "power", "one over", "reciprocal", "multiplied out"]


@quick
@given(st.sampled_from(WAYS), st.sampled_from([(2, 3), (1, 2, 3), (-1, -2)]), st.integers(1, 3))
def test_norms_are_recognized(way: str, axes: tuple[int, ...], channels: int) -> None:
    builder = GraphBuilder((1, 4, 6, 7), channels)
    add_norm(builder, way, axes, builder.add("Tanh", "x"))
    model = builder.model()
    common.CommonSubexpressionEliminationPass()(model)
    found = check_passes(model, RecognizeNorms)
    assert found["InstanceNormalization"] == 1
    assert not {"ReduceMean", "Sqrt", "GlobalAveragePool", "Pow"} & set(found)


@pytest.mark.parametrize(
    "case", ["other axes", "other x", "outside", "last axis", "first power", "no epsilon", "not kept"]
)
def test_what_is_no_norm_stays(case: str) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    x = builder.add("Tanh", "x")
    over = builder.ints(*{"last axis": (3,)}.get(case, (2, 3)))
    keep = {"keepdims": 0} if case == "not kept" else {}
    mean = builder.add("ReduceMean", x, over, **keep)
    if keep:
        mean = builder.add("Reshape", mean, builder.ints(1, 4, 1, 1))
    d = builder.add("Sub", x, mean)
    base = builder.add("Abs", d) if case == "other x" else d
    axes = builder.ints(3) if case == "other axes" else over
    variance = builder.add("ReduceMean", builder.add("Mul", base, d), axes)
    if case == "outside":
        root = builder.add("Add", builder.add("Sqrt", variance), builder.array(0.1))
    elif case == "first power":
        root = builder.add("Add", variance, builder.array(0.1))
    elif case == "no epsilon":
        root = builder.add("Sqrt", variance)
    else:
        root = builder.add("Sqrt", builder.add("Add", variance, builder.array(0.1)))
    builder.add("Div", d, root)
    # A mean whose axes are dropped and put back is a mean all the same.
    found = check_passes(builder.model(), RecognizeNorms, applies=case == "not kept")
    assert found["InstanceNormalization"] == (case == "not kept")


def test_parts_of_a_norm_that_others_read_stay() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    normal = add_norm(builder, "plain", (2, 3), "x")
    builder.add("Add", normal, "v0")
    assert check_passes(builder.model(), RecognizeNorms) == {"ReduceMean": 1, "InstanceNormalization": 1, "Add": 1}
