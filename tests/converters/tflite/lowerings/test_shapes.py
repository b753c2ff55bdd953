import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    compare,
    floats,
    model,
    node,
)


def test_slices() -> None:
    assert_exact(node("Slice", "image", np.array([1, 2]), np.array([9, -1]), np.array([2, 3])))
    assert_exact(node("Slice", "image", np.array([2]), np.array([7]), np.array([1])))
    assert assert_exact(node("Slice", "image", np.array([0]), np.array([99]), np.array([2]), out="a"), node("Neg", "a"))


@pytest.mark.parametrize(("start", "end", "step"), [(1, 100, 2), (-1, -1000, -1), (9, 2, -3)])
def test_slices_with_steps(start: int, end: int, step: int) -> None:
    nodes = node("Slice", "image", np.array([start]), np.array([end]), np.array([3]), np.array([step]))
    assert compare(model(nodes)).error == 0


def test_many_pictures_side_by_side() -> None:
    assert_exact(node("Neg", out="n"), node("Concat", *["image", "n"] * 4, floats(1, 2, 12, 16), axis=1))
    assert_exact(node("Neg", out="n"), node("Concat", "image", "n", axis=-1))


def test_uneven_split() -> None:
    assert_exact(node("Split", "image", np.array([3, 5]), out=("a", "b"), axis=1), node("Concat", "b", "a", axis=1))


@pytest.mark.parametrize("number", [floats(1, 1, 1, 1), floats(1, 8, 1, 1)])
def test_few_numbers_spread_over_a_large_picture(number: np.ndarray) -> None:
    spread = node("Expand", number, np.array([1, 8, 128, 128]), out="a")
    assert_exact(spread, node("Mul", "a", "image"), shape=(1, 8, 128, 128))


def test_expand() -> None:
    assert_exact(node("GlobalAveragePool", out="a"), node("Expand", "a", np.array([1, 8, 12, 16])))


def test_reshapes_that_keep_the_order() -> None:
    assert_exact(node("Reshape", "image", np.array([1, 8, 192, 1])))
    assert_exact(node("GlobalAveragePool", out="a"), node("Squeeze", "a", np.array([2, 3]), out="b"), node("Neg", "b"))
    assert_exact(node("Transpose", perm=[0, 1, 3, 2]))


def test_a_reshape_that_does_not_goes_through_the_graph_s_order() -> None:
    assert assert_exact(node("Reshape", "image", np.array([1, -1]))).operators["TRANSPOSE"] == 1
    assert assert_exact(node("Reshape", "image", np.array([1, 12, 16, 8]))).operators["TRANSPOSE"] == 2


@pytest.mark.parametrize("places", [[2, 0, 1], [-1, 3, 3], 4])
def test_channels_in_another_order(places: list[int] | int) -> None:
    nodes = [node("Gather", "image", np.array(places), axis=1, out="a"), node("Neg", "a")]
    assert compare(model(*nodes)).error == 0
