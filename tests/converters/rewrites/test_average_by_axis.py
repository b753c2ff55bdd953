"""Means along one axis after the other, on random graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.average_by_axis import AverageByAxis
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, play, quick

sides = st.integers(1, 4)


@quick
@given(sides, sides, st.tuples(*[st.integers(0, 2)] * 4), st.booleans(), st.booleans())
def test_the_means_stay(rows: int, columns: int, pads: tuple[int, ...], counted: bool, apart: bool) -> None:
    kernel = (rows + 1, columns + 1)
    pads = tuple(min(pad, edge - 1) for pad, edge in zip(pads, kernel * 2, strict=True))
    builder = GraphBuilder((2, 3, 2 * kernel[0], 3 * kernel[1]), rows)
    steps = {"strides": kernel} if apart else {"pads": pads, "count_include_pad": int(counted)}
    builder.add("AveragePool", "x", kernel_shape=kernel, **steps)
    model = builder.model()
    left = check_passes(model, AverageByAxis)
    assert left == ({"Reshape": 3, "ReduceMean": 2} if apart else {"MatMul": 2})


@pytest.mark.parametrize(
    "case", ["many channels", "a rest", "strides of their own", "dilated", "pads and strides", "a long axis"]
)
def test_averages_that_stay(case: str) -> None:
    height, width = 9 if case == "a rest" else 8, 300 if case == "a long axis" else 8
    builder = GraphBuilder((1, 8 if case == "many channels" else 3, height, width))
    attributes: dict[str, object] = {"strides": [3, 3] if case == "strides of their own" else [2, 2]}
    if case == "dilated":
        attributes = {"dilations": [2, 2]}
    elif case == "pads and strides":
        attributes |= {"pads": [1, 1, 1, 1]}
    elif case == "a long axis":
        attributes = {"pads": [1, 1, 0, 0]}
    builder.add("AveragePool", "x", kernel_shape=[2, 2], **attributes)
    model = builder.model()
    before = play(model)
    assert not AverageByAxis()(model).modified
    assert np.array_equal(play(model)[0], before[0])
