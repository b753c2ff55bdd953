import numpy as np

from tests.converters.tflite.harness import (
    assert_exact,
    floats,
    node,
)


def test_pixel_shuffles() -> None:
    for mode in ("DCR", "CRD"):
        assert_exact(node("DepthToSpace", blocksize=2, mode=mode))
    assert_exact(node("SpaceToDepth", blocksize=2))


def test_a_convolution_writes_the_order_that_a_pixel_shuffle_wants() -> None:
    conv = node("Conv", "image", floats(12, 8, 3, 3) * np.float32(0.2), floats(12), out="a")
    shuffle = {"blocksize": 2, "mode": "CRD"}
    assert assert_exact(conv, node("DepthToSpace", "a", **shuffle)).operators == {"CONV_2D": 1, "DEPTH_TO_SPACE": 1}
    outcome = assert_exact(
        conv, node("Relu", "a", out="b"), node("Tanh", "b", out="c"), node("DepthToSpace", "c", **shuffle)
    )
    assert outcome.operators == {"CONV_2D": 1, "TANH": 1, "DEPTH_TO_SPACE": 1}


def test_that_order_is_not_forced_on_another_reader() -> None:
    conv = node("Conv", "image", floats(12, 8, 3, 3) * np.float32(0.2), floats(12), out="a")
    shuffled = (
        node("DepthToSpace", "a", blocksize=2, mode="CRD", out="b"),
        node("SpaceToDepth", "b", blocksize=2, out="c"),
    )
    assert assert_exact(conv, *shuffled, node("Add", "a", "c")).operators["CONV_2D"] == 2
