import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    compare,
    floats,
    model,
    node,
    only_refusal,
)


@pytest.mark.parametrize(
    "operator",
    [
        "Relu",
        "Tanh",
        "Sigmoid",
        "HardSwish",
        "Abs",
        "Neg",
        "Floor",
        "Ceil",
        "Round",
        "Sin",
        "Cos",
        "Exp",
        "Softplus",
        "Mish",
        "Softsign",
        "Erf",
        "Elu",
        "LeakyRelu",
        "Gelu",
        "HardSigmoid",
    ],
)
def test_a_function_of_one_value(operator: str) -> None:
    assert_exact(node(operator))


@pytest.mark.parametrize(
    "alone",
    [
        node("Elu", alpha=0.5),
        node("LeakyRelu", alpha=0.2),
        node("Gelu", approximate="tanh"),
        node("HardSigmoid", alpha=1 / 6, beta=0.5),
        node("PRelu", "image", floats(8, 1, 1)),
        node("PRelu", "image", floats(1)),
        node("Softmax", axis=1),
    ],
    ids=lambda n: f"{n[0]}{n[3]}",
)
def test_with_attributes(alone: tuple) -> None:
    assert_exact(alone)


@pytest.mark.parametrize(
    ("low", "high", "operators"),
    [
        (0, 6, {"RELU6": 1}),
        (-1, 1, {"RELU_N1_TO_1": 1}),
        (0, 1, {"RELU": 1, "MINIMUM": 1}),
        (-1.5, 0.7, {"MAXIMUM": 1, "MINIMUM": 1}),
    ],
)
def test_clip(low: float, high: float, operators: dict[str, int]) -> None:
    assert assert_exact(node("Clip", "image", np.float32(low), np.float32(high))).operators == operators


def test_clip_at_one_side() -> None:
    assert assert_exact(node("Clip", "image", "", np.float32(0.5))).operators == {"MINIMUM": 1}
    assert assert_exact(node("Clip", "image", np.float32(0))).operators == {"RELU": 1}


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_softmax_over_any_axis(axis: int) -> None:
    assert assert_exact(node("Softmax", axis=axis)).operators["TRANSPOSE"] == (0 if axis == 1 else 2)


def test_a_softmax_of_one_axis_has_one_in_front() -> None:
    flat, back = node("Reshape", "image", np.array([-1]), out="f"), node("Reshape", "s", np.array([1, 8, 12, 16]))
    assert compare(model(flat, node("Softmax", "f", out="s"), back)).error < 2e-6


def test_clip_with_computed_bounds_is_refused() -> None:
    nodes = node("ReduceMax", "image", np.array([0, 1, 2, 3]), keepdims=0, out="m"), node("Clip", "image", "", "m")
    assert only_refusal(model(*nodes)) == "its bounds are computed, not constant"
