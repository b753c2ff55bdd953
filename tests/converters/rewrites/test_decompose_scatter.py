"""What is put into places is sliced, stacked or gathered, with the same values."""

import numpy as np
import pytest

from pocketlens.converters.rewrites.decompose_scatter import DecomposeScatter
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes

SHAPE = (1, 4, 6, 8)


def put(builder: GraphBuilder, table: str, part: tuple[slice, ...], updates: str) -> str:
    """``table[part] = updates``, as torch's exporter writes it."""
    places = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), -1)[part]
    return builder.add("ScatterND", table, builder.array(places, np.int64), updates)


def test_a_part_that_is_replaced_is_a_concat() -> None:
    builder = GraphBuilder(SHAPE)
    inside = (slice(None), slice(1, 3), slice(2, 6), slice(1, 7))
    put(builder, "x", inside, builder.random(1, 2, 4, 6))
    assert set(check_passes(builder.model(), DecomposeScatter)) == {"Slice", "Concat"}


def test_four_parts_of_a_wavelet_are_a_transpose() -> None:
    builder = GraphBuilder(SHAPE)
    quarter = builder.add("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2])
    whole = builder.array(np.zeros(SHAPE))
    for row in (0, 1):
        for column in (0, 1):
            part = (slice(None), slice(None), slice(row, None, 2), slice(column, None, 2))
            whole = put(builder, whole, part, builder.add("Mul", quarter, builder.random(1)))
    builder.last = whole
    operators = check_passes(builder.model(), DecomposeScatter)
    assert operators["Transpose"] == 1
    assert not {"ScatterND", "Gather"} & set(operators)


def test_parts_that_leave_something_are_gathered() -> None:
    builder = GraphBuilder(SHAPE)
    part = (slice(None), slice(None), slice(0, None, 2), slice(1, None, 3))
    put(builder, "x", part, builder.random(1, 4, 3, 3))
    assert check_passes(builder.model(), DecomposeScatter)["Gather"] == 1


def test_a_later_part_covers_an_earlier_one() -> None:
    builder = GraphBuilder(SHAPE)
    first = put(builder, "x", (slice(None), slice(None), slice(0, 3), slice(None)), builder.random(1, 4, 3, 8))
    put(builder, first, (slice(None), slice(None), slice(2, 4), slice(None, None, 2)), builder.random(1, 4, 2, 4))
    assert "ScatterND" not in check_passes(builder.model(), DecomposeScatter)


def test_elements_come_to_constant_places() -> None:
    builder = GraphBuilder(SHAPE)
    order = np.broadcast_to(np.array([2, -1]).reshape(1, 2, 1, 1), (1, 2, 6, 8))
    builder.add("ScatterElements", "x", builder.array(order, np.int64), builder.random(1, 2, 6, 8), axis=1)
    assert "ScatterElements" not in check_passes(builder.model(), DecomposeScatter)


@pytest.mark.parametrize("reduction", ["add", "mul"])
def test_what_is_added_up_at_its_place_stays(reduction: str) -> None:
    builder = GraphBuilder(SHAPE)
    places = builder.array([[0, 2]], np.int64)
    builder.add("ScatterND", "x", places, builder.random(1, 6, 8), reduction=reduction)
    check_passes(builder.model(), DecomposeScatter, applies=False)


@pytest.mark.parametrize("axis", [1, -1])
def test_the_largest_channel_is_found_by_comparing_places(axis: int) -> None:
    builder = GraphBuilder(SHAPE)
    builder.add("Hardmax", "x", axis=axis)
    assert check_passes(builder.model(), DecomposeScatter)["ArgMax"] == 1


def test_a_mask_of_the_largest_channel() -> None:
    builder = GraphBuilder(SHAPE)
    place = builder.add("ArgMax", "x", axis=1)
    builder.add("ScatterElements", "x", place, builder.random(1, 1, 6, 8), axis=1)
    assert "ScatterElements" not in check_passes(builder.model(), DecomposeScatter)


@pytest.mark.parametrize("axis", [1, -1])
def test_one_of_many_at_the_largest_channel(axis: int) -> None:
    builder = GraphBuilder(SHAPE)
    place = builder.add("ArgMax", "x", axis=1, keepdims=0)
    builder.add("OneHot", place, builder.array(4, np.int64), builder.array([0.25, 2]), axis=axis)
    assert "OneHot" not in check_passes(builder.model(), DecomposeScatter)
