"""Convolutions by Winograd's tiles of rows, on random graphs: the same values, done after one go, and what must stay."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites import winograd_conv
from pocketlens.converters.rewrites.keep_rows import KeepRows
from pocketlens.converters.rewrites.registry import apply
from pocketlens.converters.rewrites.winograd_conv import GIVE, READ, TAPS, WinogradConv
from tests.converters.drafts import Draft, close, exact, quick, values


@pytest.fixture(autouse=True)
def _few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small graphs show the same as large ones."""
    monkeypatch.setattr(winograd_conv, "LEAST_CHANNELS", 2)


def test_matrices_are_the_correlation_of_six_rows_with_three() -> None:
    exactly = np.vectorize(lambda v: Fraction(v).limit_denominator(24))
    give, taps, read = exactly(GIVE), exactly(TAPS), exactly(READ)
    for d in range(6):
        for g in range(3):
            row, tap = [Fraction(int(i == d)) for i in range(6)], [Fraction(int(i == g)) for i in range(3)]
            found = give @ ((taps @ tap) * (read @ row))
            assert list(found) == [Fraction(int(i + g == d)) for i in range(4)]


@quick
@given(st.integers(1, 3), st.tuples(*[st.integers(0, 2)] * 4), st.booleans(), st.integers(1, 2))
def test_conv_takes_half_the_products(tiles: int, pads: tuple[int, ...], bias: bool, number: int) -> None:
    height = 4 * tiles + 2 - pads[0] - pads[2]
    if height < 1:
        return
    draft = Draft((number, 2, height, 5), tiles)
    terms = [draft.random(3)] if bias else []
    draft.add("Conv", "x", draft.random(3, 2, 3, 3), *terms, pads=pads)
    found = exact(draft.model(), WinogradConv)
    assert found["Conv"] == 12 and found["Concat"] == 1


@pytest.mark.parametrize("case", ["rows", "kernel", "stride", "dilation", "group", "channels", "computed"])
def test_convs_that_stay(case: str) -> None:
    draft = Draft((1, 2, 9 if case == "rows" else 8, 8))
    attributes = {"stride": {"strides": [2, 2]}, "dilation": {"dilations": [2, 2]}, "group": {"group": 2}}.get(case, {})
    size, out, depth = 5 if case == "kernel" else 3, 1 if case == "channels" else 2, 1 if case == "group" else 2
    weight = draft.random(out, depth, size, size)
    if case == "computed":
        weight = draft.add("Mul", weight, draft.add("ReduceMean", "x", keepdims=0))
    edge = {"kernel": 2, "stride": 3, "dilation": 2}.get(case, 1)
    draft.add("Conv", "x", weight, pads=[edge] * 4, **attributes)
    exact(draft.model(), WinogradConv, applies=False)


def test_few_channels_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd_conv, "LEAST_CHANNELS", 4)
    for out, depth in ((4, 3), (3, 4)):
        draft = Draft((1, depth, 8, 8))
        draft.add("Conv", "x", draft.random(out, depth, 3, 3), pads=[1] * 4)
        exact(draft.model(), WinogradConv, applies=False)


def _conv(draft: Draft, x: str) -> str:
    return draft.add("Conv", x, draft.random(4, 4, 3, 3), pads=[1] * 4)


def _norm(draft: Draft, x: str) -> str:
    return draft.add("InstanceNormalization", x, draft.random(4), draft.random(4))


@quick
@given(
    st.lists(st.sampled_from(["Relu", "Tanh", "Norm", "Mul", "Add", "Clip", "itself", "picture"]), max_size=5),
    st.integers(1, 2),
)
def test_rows_stay_beside_one_another(steps: list[str], tiles: int) -> None:
    draft = Draft((1, 4, 4 * tiles, 6), len(steps))
    y = _conv(draft, draft.add("Tanh", "x"))
    for step in steps:
        match step:
            case "Norm":
                y = _norm(draft, y)
            case "Mul" | "Add":
                y = draft.add(step, y, draft.random(4, 1, 1))
            case "Clip":
                y = draft.add("Clip", y, draft.array(-0.5), draft.array(0.5))
            case "itself":
                y = draft.add("Add", y, draft.add("Sigmoid", y))
            case "picture":
                y = draft.add("Add", draft.add("Abs", "x"), y)
            case _:
                y = draft.add(step, y)
    _conv(draft, y)
    model = draft.model()
    before = values(model)
    assert WinogradConv()(model).modified and KeepRows()(model).modified
    close(values(model), before)
    assert not KeepRows()(model).modified and not WinogradConv()(model).modified
    # One puts the result in order; one more turns the picture, where it is added.
    assert sum(node.op_type == "Reshape" for node in model.graph) <= 1 + steps.count("picture")


def test_residual_blocks_are_turned_once_at_either_end() -> None:
    draft = Draft((1, 4, 8, 6))
    y = draft.add("Relu", "x")
    for _ in range(2):
        first = draft.add("Relu", _norm(draft, _conv(draft, y)))
        y = draft.add("Add", y, _norm(draft, _conv(draft, first)))
    draft.add("ConvTranspose", y, draft.random(4, 3, 2, 2), strides=[2, 2])
    model = draft.model()
    assert apply(model, ["winograd-conv", "keep-rows"]) == ("winograd-conv", "keep-rows")
    reshapes = [node for node in model.graph if node.op_type == "Reshape"]
    assert [tuple(node.outputs[0].shape or ()) for node in reshapes] == [(1, 4, 2, 24), (1, 4, 8, 6)]


@pytest.mark.parametrize("case", ["added elsewhere", "softmax", "other stride", "wide kernel", "constant picture"])
def test_rows_that_are_put_in_order(case: str) -> None:
    draft = Draft((1, 4, 2, 24))
    y = draft.add("Reshape", "x", draft.ints(1, 4, 8, 6))
    if case == "added elsewhere":
        draft.add("Add", y, draft.add("Reshape", draft.add("Reshape", "x", draft.ints(-1)), draft.ints(1, 4, 8, 6)))
    elif case == "softmax":
        draft.add("Softmax", y, axis=3)
    elif case == "constant picture":
        draft.add("Add", y, draft.random(1, 4, 8, 6))
    else:
        kernel, stride = ((5, 3), 4) if case == "wide kernel" else ((4, 1), 2)
        draft.add("Conv", y, draft.random(3, 4, *kernel), strides=[stride, 1])
    exact(draft.model(), KeepRows, applies=False)


@quick
@given(st.integers(1, 9), st.integers(0, 5), st.integers(0, 5), st.sampled_from([1, 4]), st.booleans())
def test_strided_convs_read_rows_beside_one_another(taps: int, top: int, below: int, group: int, zeros: bool) -> None:
    draft = Draft((2, 4, 3, 20), taps)
    y = draft.add("Reshape", "x", draft.ints(2, 4, 12, 5))
    weight = draft.rng.standard_normal((4, 4 // group, taps, 1))
    weight[:, :, : taps // 2] *= not zeros
    if 12 + top + below < taps:
        return
    draft.add("Conv", y, draft.array(weight), draft.random(4), strides=[4, 1], pads=[top, 0, below, 0], group=group)
    model = draft.model()
    before = values(model)
    modified = KeepRows()(model).modified
    close(values(model), before)
    assert modified == (not any(node.op_type == "Reshape" for node in model.graph))
    assert not KeepRows()(model).modified
