"""Neighbouring operators are merged, and only where nothing else reads what is between them."""

import numpy as np

from tests.converters.tflite.harness import assert_exact, floats, kernel, node


def test_relu_is_fused_into_a_transposed_convolution() -> None:
    nodes = node("ConvTranspose", "image", kernel(8, 4, 4, 4), pads=[1, 1, 1, 1], strides=[2, 2], out="a")
    assert assert_exact(nodes, node("Relu", "a")).operators == {"TRANSPOSE_CONV": 1}


def test_relu_is_fused_into_what_comes_before() -> None:
    assert assert_exact(node("Add", "image", floats(8, 1, 1), out="a"), node("Relu", "a")).operators == {"ADD": 1}


def test_relu_is_not_fused_where_somebody_else_reads_the_sum() -> None:
    outcome = assert_exact(
        node("Add", "image", floats(8, 1, 1), out="a"), node("Relu", "a", out="b"), node("Sub", "a", "b")
    )
    assert outcome.operators == {"ADD": 1, "RELU": 1, "SUB": 1}


def test_factors_a_channel_are_merged() -> None:
    outcome = assert_exact(
        node("Mul", "image", floats(8, 1, 1), out="a"),
        node("Mul", "a", floats(1, 8, 1, 1), out="b"),
        node("Add", "b", np.float32(2), out="c"),
        node("Add", "c", floats(8, 1, 1)),
    )
    assert outcome.operators == {"MUL": 1, "ADD": 1}
