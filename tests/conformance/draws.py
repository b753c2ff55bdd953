"""What the strategies of all operators draw from, and the table that they stand in."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.conformance.case import Case, Constant, Place, Weights

Draw = Callable[[st.SearchStrategy[Any]], Any]

CASES: dict[str, tuple[st.SearchStrategy[Case], str]] = {}
"""A strategy for each operator, and the module that it stands in; names start with the ONNX operator, or say what some
operators are together."""

_BEFORE = ("Conv", "Relu", "LeakyRelu", "Tanh")


def operator(*names: str) -> Callable[[Callable[..., Case]], Callable[..., Case]]:
    """Register a function ``(draw)``, or ``(draw, name)`` where there are several names, under its names."""

    def register(make: Callable[..., Case]) -> Callable[..., Case]:
        for name in names:
            assert name not in CASES, name
            strategy = st.composite(make)(name) if len(names) > 1 else st.composite(make)()
            CASES[name] = strategy, make.__module__
        return make

    return register


def integer(draw: Draw, low: int, high: int) -> int:
    return int(draw(st.integers(low, high)))


def chosen(draw: Draw, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def place(
    draw: Draw, channels: int | None = None, height: int | None = None, width: int | None = None, exact: bool = False
) -> Place:
    """Any place; what is given is kept. ``exact`` is for functions that jump: rounding must not decide."""
    height = integer(draw, 1, 11) if height is None else height
    width = integer(draw, 1, 11) if width is None else width
    before = "" if exact else chosen(draw, *(("",) if channels in (None, 3) else ()), *_BEFORE)
    if not before:
        return Place(3, height, width, "", chosen(draw, "Mul", "Conv"), draw(st.booleans()))
    channels = integer(draw, 1, 6) if channels is None else channels
    return Place(channels, height, width, before, chosen(draw, "Mul", "Conv"), draw(st.booleans()))


def line(out: str, operator: str, inputs: str, **attributes: Any) -> str:
    """A node as ONNX text."""
    return f"{out} = {operator}{written(attributes)} ({inputs})"


def written(attributes: dict[str, Any]) -> str:
    """Attributes as ONNX text."""
    if not attributes:
        return ""
    return " <" + ", ".join(f"{name} = {_value(value)}" for name, value in attributes.items()) + ">"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


def shape(place: Place) -> tuple[int, int, int, int]:
    return (1, place.channels, place.height, place.width)


def positive(lengths: tuple[int, ...]) -> Weights:
    """Numbers from 0.5 to 2.5, whatever the shape."""
    return Weights(lengths, 0.5 * max(1.0, _root(lengths)), 1.5)


def signed(lengths: tuple[int, ...]) -> Weights:
    """Numbers from -1 to 1, whatever the shape."""
    return Weights(lengths, 0.5 * max(1.0, _root(lengths)))


def _root(lengths: tuple[int, ...]) -> float:
    product = 1
    for length in lengths[1:]:
        product *= length
    return float(product**0.5)


def broadcast(draw: Draw, to: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to another: fewer axes, or some of length 1."""
    rank = integer(draw, 0, len(to))
    return tuple(n if draw(st.booleans()) else 1 for n in to[len(to) - rank :])


__all__ = [
    "CASES",
    "Case",
    "Constant",
    "Draw",
    "Place",
    "Weights",
    "broadcast",
    "chosen",
    "integer",
    "line",
    "operator",
]
__all__ += ["place", "positive", "shape", "signed", "st", "written"]
