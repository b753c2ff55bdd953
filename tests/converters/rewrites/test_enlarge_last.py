"""Convolutions of enlarged pictures are computed at the small size, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.enlarge_last import EnlargeLast
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, check_passes, play, quick

pads = st.tuples(*[st.integers(0, 2)] * 4)


@quick
@given(
    st.sampled_from(["", "constant", "edge", "reflect"]),
    st.integers(2, 3),
    st.integers(1, 5),
    st.integers(1, 4),
    pads,
    st.sampled_from(["asymmetric floor", "half_pixel round_prefer_floor", "half_pixel ceil"]),
)
def test_enlarging_comes_last(
    pad: str, factor: int, rows: int, columns: int, amounts: tuple[int, ...], way: str
) -> None:
    builder = GraphBuilder((1, 3, 5, 6), rows * 10 + columns)
    convention, rounding = way.split()
    builder.add(
        "Resize", "x", "", builder.array([1, 1, factor, factor]),
        mode="nearest", coordinate_transformation_mode=convention, nearest_mode=rounding,
    )  # fmt: skip
    if pad:
        builder.add("Pad", builder.last, builder.ints(0, 0, *amounts[:2], 0, 0, *amounts[2:]), mode=pad)
    own = [] if pad else list(amounts)
    builder.add(
        "Conv", builder.last, builder.random(2, 3, rows, columns), builder.random(2), **({"pads": own} if own else {})
    )
    model = builder.model()
    before = play(model)
    modified = EnlargeLast()(model).modified
    assert_close(play(model), before)
    assert modified != any(node.op_type == "Resize" for node in model.graph)
    assert not EnlargeLast()(model).modified


@pytest.mark.parametrize("pad", ["zeros", "edge", "reflect"])
def test_enlarging_with_a_3x3_kernel_needs_2x2(pad: str) -> None:
    builder = GraphBuilder((1, 3, 5, 6))
    builder.add(
        "Resize",
        "x",
        "",
        builder.array([1, 1, 2, 2]),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    if pad != "zeros":
        builder.add("Pad", builder.last, builder.ints(0, 0, 1, 1, 0, 0, 1, 1), mode=pad)
    builder.add("Conv", builder.last, builder.random(2, 3, 3, 3), pads=[int(pad == "zeros")] * 4)
    model = builder.model()
    assert check_passes(model, EnlargeLast)["Resize"] == 0
    conv = next(node for node in model.graph if node.op_type == "Conv")
    assert conv.inputs[1] is not None and conv.inputs[1].shape == (8, 3, 2, 2)


@pytest.mark.parametrize("case", ["linear", "stride", "read twice", "mirrors two", "ones around", "uneven"])
def test_enlarging_that_stays(case: str) -> None:
    builder = GraphBuilder((1, 3, 5, 6))
    grown = builder.add(
        "Resize", "x", "", builder.array([1, 1, 2, 3 if case == "uneven" else 2]),
        mode="linear" if case == "linear" else "nearest", coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )  # fmt: skip
    if case in ("mirrors two", "ones around"):
        inputs = [builder.array(1)] if case == "ones around" else []
        mode = "constant" if case == "ones around" else "reflect"
        builder.add("Pad", builder.last, builder.ints(0, 0, 2, 2, 0, 0, 2, 2), *inputs, mode=mode)
    builder.add("Conv", builder.last, builder.random(2, 3, 3, 3), strides=[2, 2] if case == "stride" else [1, 1])
    check_passes(builder.model(*([grown] if case == "read twice" else [])), EnlargeLast, applies=False)
