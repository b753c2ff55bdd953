import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    compare,
    floats,
    model,
    node,
)


def test_instance_norm() -> None:
    outcome = assert_exact(node("InstanceNormalization", "image", floats(8), floats(8)[::-1].copy()))
    assert outcome.operators["MEAN"] == 2


def test_the_norm_of_a_picture_far_from_zero() -> None:
    # Mean 1000, spread 2: the mean of the squares less the square of the mean would be wrong in the second digit.
    ones, zeros = np.ones(8, np.float32), np.zeros(8, np.float32)
    nodes = node("Add", "image", np.float32(1000), out="a"), node("InstanceNormalization", "a", ones, zeros)
    assert compare(model(*nodes)).error < 5e-4


def test_batch_norm() -> None:
    assert_exact(node("BatchNormalization", "image", floats(8), floats(8), floats(8), np.abs(floats(8))))


def group_norm(groups: int) -> list[tuple]:
    """As torch exports it."""
    return [
        node("Reshape", "image", np.array([1, groups, -1]), out="a"),
        node("InstanceNormalization", "a", np.ones(groups, np.float32), np.zeros(groups, np.float32), out="b"),
        node("Reshape", "b", np.array([1, 8, 12, 16]), out="c"),
        node("Mul", "c", floats(8, 1, 1), out="d"),
        node("Add", "d", floats(8, 1, 1) - 1),
    ]


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_group_norm(groups: int) -> None:
    outcome = assert_exact(*group_norm(groups))
    assert outcome.operators["TRANSPOSE"] == 0
    # One product over the whole picture: the norm's own factor and the affine layer's are merged while they are small.
    assert outcome.operators["MUL"] == (4 if groups in (2, 4) else 2) + 1


def test_a_group_view_that_somebody_else_reads() -> None:
    view = node("Reshape", "image", np.array([1, 2, -1]), out="a")
    assert_exact(view, node("Neg", "a", out="b"), node("Reshape", "b", np.array([1, 8, 12, 16])))


def test_a_norm_of_a_group_view_right_behind_another_one() -> None:
    ones, zeros = np.ones(2, np.float32), np.zeros(2, np.float32)
    assert_exact(
        node("Reshape", "image", np.array([1, 2, -1]), out="a"),
        node("InstanceNormalization", "a", floats(2), floats(2), out="b"),
        node("InstanceNormalization", "b", ones, zeros, out="c"),
        node("Reshape", "c", np.array([1, 8, 12, 16])),
    )
