"""Relus move to the convolutions in front, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.activate_early import ActivateEarly
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick


@quick
@given(
    st.lists(st.sampled_from(["Concat", "DepthToSpace", "SpaceToDepth", "Slice"]), min_size=1, max_size=3),
    st.sampled_from(["Conv", "ConvTranspose"]),
)
def test_relu_goes_early(chosen: list[str], operator: str) -> None:
    builder = GraphBuilder((1, 4, 8, 8), len(chosen))
    builder.add(operator, "x", builder.random(4, 4, 1, 1))
    for place, step in enumerate(chosen):
        match step:
            case "Concat":
                size = 8 >> chosen[:place].count("Slice")
                first = builder.last
                other = builder.add("Slice", "x", builder.ints(0, 0), builder.ints(size, size), builder.ints(2, 3))
                builder.add("Concat", builder.add("Tanh", other), first, axis=1)
            case "Slice":
                half = 4 >> chosen[:place].count("Slice")
                builder.add("Slice", builder.last, builder.ints(0, 0), builder.ints(half, half), builder.ints(2, 3))
            case "DepthToSpace":
                builder.add("SpaceToDepth", builder.last, blocksize=2)
                builder.add("DepthToSpace", builder.last, blocksize=2, mode="CRD")
            case _:
                builder.add("SpaceToDepth", builder.last, blocksize=2)
                builder.add("DepthToSpace", builder.last, blocksize=2)
    builder.add("Relu", builder.last)
    model = builder.model()
    check_passes(model, ActivateEarly)
    relu = next(node for node in model.graph if node.op_type == "Relu")
    assert relu.inputs[0] is not None and relu.inputs[0].producer().op_type in (operator, "Tanh")  # type: ignore[union-attr]


@pytest.mark.parametrize("case", ["read twice", "no convolution", "other function", "at once"])
def test_relu_that_stays(case: str) -> None:
    builder = GraphBuilder((1, 4, 8, 8))
    conv = (
        builder.add("Tanh", "x") if case == "no convolution" else builder.add("Conv", "x", builder.random(4, 4, 1, 1))
    )
    joined = conv if case == "at once" else builder.add("Concat", "x", conv, axis=1)
    builder.add("Sigmoid" if case == "other function" else "Relu", joined)
    check_passes(builder.model(*([joined] if case == "read twice" else [])), ActivateEarly, applies=False)


def test_relu_of_a_skip_connection_is_one_on_each_side() -> None:
    builder = GraphBuilder((1, 4, 8, 8))
    conv = builder.add("Conv", "x", builder.random(4, 4, 1, 1))
    builder.add("Relu", builder.add("Concat", "x", conv, axis=1))
    model = builder.model()
    assert check_passes(model, ActivateEarly) == {"Conv": 1, "Relu": 2, "Concat": 1}
