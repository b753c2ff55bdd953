import numpy as np
import pytest

from tests.converters.tflite.bench import compare, exact, floats, model, node, refusal


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
    exact(node(operator))


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
    exact(alone)


def test_logarithm_and_roots_of_what_is_positive() -> None:
    positive = node("Abs", out="a"), node("Add", "a", np.float32(0.1), out="b")
    for operator in ("Log", "Sqrt", "Reciprocal"):
        exact(*positive, node(operator, "b"))


@pytest.mark.parametrize("exponent", [2.0, 0.5, -0.5])
def test_powers_that_have_an_operator_of_their_own(exponent: float) -> None:
    outcome = exact(
        node("Abs", out="a"), node("Add", "a", np.float32(0.5), out="b"), node("Pow", "b", np.float32(exponent))
    )
    assert "POW" not in outcome.operators


def test_any_power() -> None:
    nodes = node("Abs", out="a"), node("Add", "a", np.float32(0.5), out="b"), node("Pow", "b", np.float32(1.7))
    assert compare(model(*nodes)).error < 1e-6


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
    assert exact(node("Clip", "image", np.float32(low), np.float32(high))).operators == operators


def test_clip_at_one_side() -> None:
    assert exact(node("Clip", "image", "", np.float32(0.5))).operators == {"MINIMUM": 1}
    assert exact(node("Clip", "image", np.float32(0))).operators == {"RELU": 1}


def test_relu_is_fused_into_what_comes_before() -> None:
    assert exact(node("Add", "image", floats(8, 1, 1), out="a"), node("Relu", "a")).operators == {"ADD": 1}


def test_relu_is_not_fused_where_somebody_else_reads_the_sum() -> None:
    outcome = exact(node("Add", "image", floats(8, 1, 1), out="a"), node("Relu", "a", out="b"), node("Sub", "a", "b"))
    assert outcome.operators == {"ADD": 1, "RELU": 1, "SUB": 1}


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
@pytest.mark.parametrize("shape", [(), (1,), (8, 1, 1), (1, 8, 1, 1), (16,), (12, 16), (12, 1), (8, 12, 16)], ids=str)
def test_a_constant_is_broadcast_as_in_the_graph(operator: str, shape: tuple[int, ...]) -> None:
    constant = np.abs(floats(*shape)) + np.float32(0.5)
    exact(node(operator, "image", constant))
    if shape:
        return
    exact(node("Abs", out="a"), node("Add", "a", np.float32(1), out="b"), node(operator, constant, "b"))


def test_three_terms() -> None:
    exact(node("Sum", "image", "image", floats(8, 1, 1)))


def test_factors_a_channel_are_merged() -> None:
    outcome = exact(
        node("Mul", "image", floats(8, 1, 1), out="a"),
        node("Mul", "a", floats(1, 8, 1, 1), out="b"),
        node("Add", "b", np.float32(2), out="c"),
        node("Add", "c", floats(8, 1, 1)),
    )
    assert outcome.operators == {"MUL": 1, "ADD": 1}


def test_a_choice() -> None:
    nodes = node("Greater", "image", np.float32(0.2), out="g"), node("Neg", out="n"), node("Where", "g", "image", "n")
    assert compare(model(*nodes)).error == 0


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_softmax_over_any_axis(axis: int) -> None:
    assert exact(node("Softmax", axis=axis)).operators["TRANSPOSE"] == (0 if axis == 1 else 2)


def test_clip_with_computed_bounds_is_refused() -> None:
    nodes = node("ReduceMax", "image", np.array([0, 1, 2, 3]), keepdims=0, out="m"), node("Clip", "image", "", "m")
    assert refusal(model(*nodes)) == "its bounds are computed, not constant"


def test_an_unknown_operator_is_refused() -> None:
    assert refusal(model(node("LRN", size=3))) == "there is no lowering for it"
