from typing import Any

import numpy as np
import pytest

from tests.converters.tflite.harness import assert_exact, floats, model, node, only_refusal


def test_a_gate_of_fully_connected_layers() -> None:
    outcome = assert_exact(
        node("GlobalAveragePool", out="a"),
        node("Flatten", "a", out="b"),
        node("Gemm", "b", floats(4, 8), floats(4), transB=1, alpha=0.5, out="c"),
        node("Relu", "c", out="d"),
        node("MatMul", "d", floats(4, 8), out="e"),
        node("Reshape", "e", np.array([1, 8, 1, 1]), out="f"),
        node("Mul", "image", "f"),
    )
    assert outcome.operators["FULLY_CONNECTED"] == 2


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("image", floats(16, 5)),  # a layer of tokens, on each row
        (floats(5, 12), "image"),
        (floats(1, 1, 5, 12), "image"),
        ("image", floats(1, 16, 5)),
    ],
)
def test_a_matrix_multiplies_every_channel(left: Any, right: Any) -> None:
    assert_exact(node("MatMul", left, right))


def test_axes_in_front_that_differ_are_refused() -> None:
    reason = only_refusal(
        model(
            node("Slice", "image", np.array([0]), np.array([3]), np.array([1]), out="a"),
            node("Slice", "image", np.array([0]), np.array([2]), np.array([1]), out="b"),
            node("Transpose", "b", perm=[0, 1, 3, 2], out="c"),
            node("Reshape", "a", np.array([3, 1, 12, 16]), out="d"),
            node("MatMul", "d", "c"),
        )
    )
    assert "different axes" in reason
