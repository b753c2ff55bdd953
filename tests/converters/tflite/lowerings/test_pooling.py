import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    node,
)

POOLS = [
    (2, 2, 0, 0),
    (3, 1, 1, 0),
    (3, 2, 1, 0),
    (3, 2, 0, 1),
    (3, 2, 1, 1),
]


@pytest.mark.parametrize(("size", "stride", "pad", "ceil"), POOLS)
def test_pools(size: int, stride: int, pad: int, ceil: int) -> None:
    settings = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": ceil}
    assert_exact(node("MaxPool", **settings))
    for count in (0, 1):
        assert_exact(node("AveragePool", count_include_pad=count, **settings))
