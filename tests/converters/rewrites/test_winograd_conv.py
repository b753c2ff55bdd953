"""Convolutions by Winograd's tiles of rows, on random graphs."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites import winograd_conv
from pocketlens.converters.rewrites.winograd_conv import GIVE, READ, TAPS, WinogradConv
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick


@pytest.fixture(autouse=True)
def _few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small graphs show the same as large ones."""
    monkeypatch.setattr(winograd_conv, "MIN_CHANNELS", 2)


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
    builder = GraphBuilder((number, 2, height, 5), tiles)
    terms = [builder.random(3)] if bias else []
    builder.add("Conv", "x", builder.random(3, 2, 3, 3), *terms, pads=pads)
    found = check_passes(builder.model(), WinogradConv)
    assert found["Conv"] == 12 and found["Concat"] == 1


@pytest.mark.parametrize("case", ["rows", "kernel", "stride", "dilation", "group", "channels", "computed"])
def test_convs_that_stay(case: str) -> None:
    builder = GraphBuilder((1, 2, 9 if case == "rows" else 8, 8))
    attributes = {"stride": {"strides": [2, 2]}, "dilation": {"dilations": [2, 2]}, "group": {"group": 2}}.get(case, {})
    size, out, depth = 5 if case == "kernel" else 3, 1 if case == "channels" else 2, 1 if case == "group" else 2
    weight = builder.random(out, depth, size, size)
    if case == "computed":
        weight = builder.add("Mul", weight, builder.add("ReduceMean", "x", keepdims=0))
    edge = {"kernel": 2, "stride": 3, "dilation": 2}.get(case, 1)
    builder.add("Conv", "x", weight, pads=[edge] * 4, **attributes)
    check_passes(builder.model(), WinogradConv, applies=False)


def test_few_channels_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd_conv, "MIN_CHANNELS", 4)
    for out, depth in ((4, 3), (3, 4)):
        builder = GraphBuilder((1, depth, 8, 8))
        builder.add("Conv", "x", builder.random(out, depth, 3, 3), pads=[1] * 4)
        check_passes(builder.model(), WinogradConv, applies=False)
