"""Scales and shifts in front of a convolution go into its weights, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.fold_affine_before import FoldAffineBefore
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import add_affines, affine_steps, check_passes, quick


@quick
@given(
    affine_steps,
    st.sampled_from(["Conv", "grouped", "depthwise"]),
    st.sampled_from(["", "reflect", "edge"]),
    st.booleans(),
)
def test_affine_in_front_goes_into_weights(chosen: list, kind: str, pad: str, bias: bool) -> None:
    builder = GraphBuilder((1, 4, 6, 7), len(chosen))
    add_affines(builder, chosen)
    if pad:
        builder.add("Pad", builder.last, builder.ints(0, 0, 1, 2, 0, 0, 2, 1), mode=pad)
    groups = {"Conv": 1, "grouped": 2, "depthwise": 4}[kind]
    inputs = [builder.random(8)] if bias else []
    builder.add("Conv", builder.last, builder.random(8, 4 // groups, 3, 3), *inputs, group=groups, strides=[1, 2])
    assert set(check_passes(builder.model(), FoldAffineBefore)) <= {"Pad", "Conv"}


@pytest.mark.parametrize("kind", ["Conv", "same", "ConvTranspose", "zeros"])
def test_scale_in_front_passes_padding_and_shift_does_not(kind: str) -> None:
    for chosen, left in (([("Mul", (4, 1, 1))], 0), ([("Mul", (4, 1, 1)), ("Add", (4, 1, 1))], 1), ([("Add", ())], 1)):
        builder = GraphBuilder((1, 4, 6, 7))
        add_affines(builder, chosen)
        if kind == "ConvTranspose":
            builder.add("ConvTranspose", builder.last, builder.random(4, 2, 3, 3), group=2)
        elif kind == "zeros":
            builder.add("Pad", builder.last, builder.ints(0, 0, 1, 1, 0, 0, 1, 1))
            builder.add("Conv", builder.last, builder.random(4, 4, 3, 3))
        else:
            padding = {"auto_pad": "SAME_UPPER"} if kind == "same" else {"pads": [0, 0, 0, 1]}
            builder.add("Conv", builder.last, builder.random(4, 4, 3, 3), **padding)
        if kind == "zeros" and left:
            check_passes(builder.model(), FoldAffineBefore, applies=False)
        else:
            found = check_passes(builder.model(), FoldAffineBefore, applies=chosen != [("Add", ())])
            assert found["Mul"] == 0 and found["Add"] == left
