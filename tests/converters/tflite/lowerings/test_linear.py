import numpy as np

from tests.converters.tflite.harness import (
    assert_exact,
    floats,
    node,
)


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
