"""Functions of two and more values, broadcast in every way."""

from typing import Any

from tests.conformance.draws import (
    Case,
    Draw,
    broadcast,
    chosen,
    integer,
    line,
    operator,
    place,
    positive,
    shape,
    signed,
    st,
)

_TWO = ("Add", "Sub", "Mul", "Div", "Min", "Max")


def _positive(x: str) -> str:
    return f"a = Abs({x})\np = Add(a, low)\n"


@operator(*_TWO)
def constant(draw: Draw, name: str) -> Case:
    """Of ``x`` and a constant, either way round."""
    where = place(draw)
    lengths = broadcast(draw, shape(where))
    if draw(st.booleans()):
        return Case(line("y", name, "x, c"), {"c": positive(lengths)}, where)
    head = _positive("x") if name == "Div" else ""
    other = "p" if name == "Div" else "x"
    constants: dict[str, Any] = {"c": signed(lengths), **({"low": 0.5} if head else {})}
    return Case(head + line("y", name, f"c, {other}"), constants, where)


@operator("Add, growing", "Mul, growing", "Sub, growing")
def growing(draw: Draw, name: str) -> Case:
    """With a constant that makes ``x`` larger."""
    where = place(draw, channels=chosen(draw, 1, 3), height=chosen(draw, 1, 5), width=chosen(draw, 1, 4))
    to = tuple(integer(draw, 2, 5) if n == 1 and i else n for i, n in enumerate(shape(where)))
    lengths = to[1:] if draw(st.booleans()) else to
    return Case(
        line("y", name.split(",", maxsplit=1)[0], chosen(draw, "x, c", "c, x")), {"c": positive(lengths)}, where
    )


@operator("Add, computed", "Sub, computed", "Mul, computed", "Div, computed", "Min, computed", "Max, computed")
def computed(draw: Draw, name: str) -> Case:
    """Of ``x`` and something that is computed from it, of fewer pixels or axes."""
    kind = name.split(",", maxsplit=1)[0]
    where = place(draw)
    axes = tuple(axis for axis in (1, 2, 3) if draw(st.booleans()))
    drop = bool(axes) and axes == tuple(range(1, 1 + len(axes))) and draw(st.booleans())
    nodes, other = "h = Sigmoid(x)\n", "h"
    constants: dict[str, Any] = {}
    if axes:
        constants["axes"] = (0, *axes) if drop else axes
        nodes += line("r", "ReduceMean", "h, axes", **({"keepdims": 0} if drop else {})) + "\n"
        other = "r"
    inputs = f"x, {other}" if kind == "Div" else chosen(draw, f"x, {other}", f"{other}, x")
    return Case(nodes + line("y", kind, inputs), constants, where)


@operator("Sum", "Min, of many", "Max, of many", "Mean")
def many(draw: Draw, name: str) -> Case:
    where = place(draw)
    count = integer(draw, 1, 4)
    inputs, constants = ["x"], {}
    for index in range(count - 1):
        if draw(st.booleans()):
            inputs.append("x")
        else:
            inputs.append(f"c{index}")
            constants[f"c{index}"] = signed(broadcast(draw, shape(where)))
    inputs = list(draw(st.permutations(inputs)))
    return Case(line("y", name.split(",", maxsplit=1)[0], ", ".join(inputs)), constants, where)


@operator("Pow")
def power(draw: Draw) -> Case:
    where = place(draw)
    if draw(st.booleans()):
        exponent = chosen(draw, 2.0, 3.0, 1.0, 0.0, 4.0, (2,), (3,))
        return Case("y = Pow(x, e)", {"e": exponent}, where)
    exponent = chosen(draw, 2.0, 0.5, -0.5, -1.0, 1.7, 3.0, -2.0, (2,), None)
    value = positive(broadcast(draw, shape(where))) if exponent is None else exponent
    return Case(_positive("x") + "y = Pow(p, e)", {"e": value, "low": 0.5}, where)


@operator("Pow, of a constant")
def exponential(draw: Draw) -> Case:
    where = place(draw)
    return Case("y = Pow(c, x)", {"c": positive(broadcast(draw, shape(where)))}, where)


@operator("Where", "And")
def where_(draw: Draw, name: str) -> Case:
    """A choice by a comparison, or by two."""
    where = place(draw, exact=True)
    kinds = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")
    constants: dict[str, Any] = {"a": chosen(draw, 0.0, 0.5), "b": chosen(draw, 1.0, -1.0)}
    constants["other"] = signed(broadcast(draw, shape(where)))
    nodes = line("g", chosen(draw, *kinds), "x, a")
    if name == "And":
        nodes += f"\n{line('l', chosen(draw, *kinds), 'x, b')}"
        nodes += f"\n{line('k', chosen(draw, 'And', 'Or', 'Xor'), 'g, l')}\ny = Where(k, x, other)"
        return Case(nodes, constants, where)
    del constants["b"]
    if draw(st.booleans()):
        nodes += "\nn = Not(g)\ny = Where(n, other, x)"
    else:
        nodes += "\n" + chosen(draw, "y = Where(g, x, other)", "y = Where(g, other, x)")
    return Case(nodes, constants, where)


@operator("Mod")
def modulo(draw: Draw) -> Case:
    return Case("y = Mod <fmod = 1> (x, c)", {"c": chosen(draw, 0.75, 1.0, 1.5)}, place(draw, exact=True))
