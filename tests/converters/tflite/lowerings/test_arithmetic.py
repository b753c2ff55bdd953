import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    compare,
    floats,
    model,
    node,
)


def test_logarithm_and_roots_of_what_is_positive() -> None:
    positive = node("Abs", out="a"), node("Add", "a", np.float32(0.1), out="b")
    for operator in ("Log", "Sqrt", "Reciprocal"):
        assert_exact(*positive, node(operator, "b"))


@pytest.mark.parametrize("exponent", [2.0, 0.5, -0.5])
def test_powers_that_have_an_operator_of_their_own(exponent: float) -> None:
    outcome = assert_exact(
        node("Abs", out="a"), node("Add", "a", np.float32(0.5), out="b"), node("Pow", "b", np.float32(exponent))
    )
    assert "POW" not in outcome.operators


def test_any_power() -> None:
    nodes = node("Abs", out="a"), node("Add", "a", np.float32(0.5), out="b"), node("Pow", "b", np.float32(1.7))
    assert compare(model(*nodes)).error < 1e-6


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
@pytest.mark.parametrize("shape", [(), (1,), (8, 1, 1), (1, 8, 1, 1), (16,), (12, 16), (12, 1), (8, 12, 16)], ids=str)
def test_a_constant_is_broadcast_as_in_the_graph(operator: str, shape: tuple[int, ...]) -> None:
    constant = np.abs(floats(*shape)) + np.float32(0.5)
    assert_exact(node(operator, "image", constant))
    if shape:
        return
    assert_exact(node("Abs", out="a"), node("Add", "a", np.float32(1), out="b"), node(operator, constant, "b"))


def test_three_terms() -> None:
    assert_exact(node("Sum", "image", "image", floats(8, 1, 1)))


def test_a_choice() -> None:
    nodes = node("Greater", "image", np.float32(0.2), out="g"), node("Neg", out="n"), node("Where", "g", "image", "n")
    assert compare(model(*nodes)).error == 0


@pytest.mark.parametrize("operator", ["Mul", "Add", "Greater"])
def test_a_value_that_is_repeated_along_the_first_axis_has_one_in_front(operator: str) -> None:
    """As in computed weights, ``[6, 8, 3, 3]`` times ``[1, 8, 1, 1]``: LiteRT's GPU engine repeats nothing there."""
    back = [node("Cast", "m", to=1, out="f")] if operator == "Greater" else [node("Identity", "m", out="f")]
    built = model(
        node("ReduceMean", "image", np.array([2, 3]), out="p"),
        node(operator, floats(6, 8, 3, 3), "p", out="m"),
        *back,
        node("Reshape", "f", np.array([1, 6, 8, 9])),
    )
    assert compare(built).error < 2e-6
