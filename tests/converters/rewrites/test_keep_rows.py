"""Rows of a tile stay beside one another, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites import winograd_conv
from pocketlens.converters.rewrites.keep_rows import KeepRows
from pocketlens.converters.rewrites.registry import apply
from pocketlens.converters.rewrites.winograd_conv import WinogradConv
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, check_passes, play, quick


@pytest.fixture(autouse=True)
def _few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small graphs show the same as large ones."""
    monkeypatch.setattr(winograd_conv, "MIN_CHANNELS", 2)


def _conv(builder: GraphBuilder, x: str) -> str:
    return builder.add("Conv", x, builder.random(4, 4, 3, 3), pads=[1] * 4)


def _norm(builder: GraphBuilder, x: str) -> str:
    return builder.add("InstanceNormalization", x, builder.random(4), builder.random(4))


@quick
@given(
    st.lists(st.sampled_from(["Relu", "Tanh", "Norm", "Mul", "Add", "Clip", "itself", "picture"]), max_size=5),
    st.integers(1, 2),
)
def test_rows_stay_beside_one_another(steps: list[str], tiles: int) -> None:
    builder = GraphBuilder((1, 4, 4 * tiles, 6), len(steps))
    y = _conv(builder, builder.add("Tanh", "x"))
    for step in steps:
        match step:
            case "Norm":
                y = _norm(builder, y)
            case "Mul" | "Add":
                y = builder.add(step, y, builder.random(4, 1, 1))
            case "Clip":
                y = builder.add("Clip", y, builder.array(-0.5), builder.array(0.5))
            case "itself":
                y = builder.add("Add", y, builder.add("Sigmoid", y))
            case "picture":
                y = builder.add("Add", builder.add("Abs", "x"), y)
            case _:
                y = builder.add(step, y)
    _conv(builder, y)
    model = builder.model()
    before = play(model)
    assert WinogradConv()(model).modified and KeepRows()(model).modified
    assert_close(play(model), before)
    assert not KeepRows()(model).modified and not WinogradConv()(model).modified
    # One puts the result in order; one more turns the picture, where it is added.
    assert sum(node.op_type == "Reshape" for node in model.graph) <= 1 + steps.count("picture")


def test_residual_blocks_are_turned_once_at_either_end() -> None:
    builder = GraphBuilder((1, 4, 8, 6))
    y = builder.add("Relu", "x")
    for _ in range(2):
        first = builder.add("Relu", _norm(builder, _conv(builder, y)))
        y = builder.add("Add", y, _norm(builder, _conv(builder, first)))
    builder.add("ConvTranspose", y, builder.random(4, 3, 2, 2), strides=[2, 2])
    model = builder.model()
    assert apply(model, ["winograd-conv", "keep-rows"]) == ("winograd-conv", "keep-rows")
    reshapes = [node for node in model.graph if node.op_type == "Reshape"]
    assert [tuple(node.outputs[0].shape or ()) for node in reshapes] == [(1, 4, 2, 24), (1, 4, 8, 6)]


@pytest.mark.parametrize("case", ["added elsewhere", "softmax", "other stride", "wide kernel", "constant picture"])
def test_rows_that_are_put_in_order(case: str) -> None:
    builder = GraphBuilder((1, 4, 2, 24))
    y = builder.add("Reshape", "x", builder.ints(1, 4, 8, 6))
    if case == "added elsewhere":
        builder.add(
            "Add", y, builder.add("Reshape", builder.add("Reshape", "x", builder.ints(-1)), builder.ints(1, 4, 8, 6))
        )
    elif case == "softmax":
        builder.add("Softmax", y, axis=3)
    elif case == "constant picture":
        builder.add("Add", y, builder.random(1, 4, 8, 6))
    else:
        kernel, stride = ((5, 3), 4) if case == "wide kernel" else ((4, 1), 2)
        builder.add("Conv", y, builder.random(3, 4, *kernel), strides=[stride, 1])
    check_passes(builder.model(), KeepRows, applies=False)


@quick
@given(st.integers(1, 9), st.integers(0, 5), st.integers(0, 5), st.sampled_from([1, 4]), st.booleans())
def test_strided_convs_read_rows_beside_one_another(taps: int, top: int, below: int, group: int, zeros: bool) -> None:
    builder = GraphBuilder((2, 4, 3, 20), taps)
    y = builder.add("Reshape", "x", builder.ints(2, 4, 12, 5))
    weight = builder.rng.standard_normal((4, 4 // group, taps, 1))
    weight[:, :, : taps // 2] *= not zeros
    if 12 + top + below < taps:
        return
    builder.add(
        "Conv", y, builder.array(weight), builder.random(4), strides=[4, 1], pads=[top, 0, below, 0], group=group
    )
    model = builder.model()
    before = play(model)
    modified = KeepRows()(model).modified
    assert_close(play(model), before)
    assert modified == (not any(node.op_type == "Reshape" for node in model.graph))
    assert not KeepRows()(model).modified
