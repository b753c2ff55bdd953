import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    node,
)


@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [1], [1, 2, 3], [3]], ids=str)
def test_reductions(operator: str, axes: list[int]) -> None:
    assert_exact(node(operator, "image", np.array(axes)))


def test_reductions_that_drop_axes() -> None:
    assert_exact(node("ReduceMean", "image", np.array([2, 3]), keepdims=0))
    assert_exact(node("GlobalAveragePool"))
    assert_exact(node("GlobalMaxPool"))
    assert assert_exact(node("ReduceMean", "image", np.array([3]), keepdims=0)).operators["TRANSPOSE"] == 1
