"""Functions of one value."""

from typing import Any

from tests.conformance.draws import Case, Draw, chosen, integer, line, operator, place, positive, shape, signed, st

SMOOTH = (
    "Relu",
    "Tanh",
    "Sigmoid",
    "Abs",
    "Neg",
    "Exp",
    "Softplus",
    "Softsign",
    "Mish",
    "Erf",
    "HardSwish",
    "Identity",
)
JUMPING = ("Floor", "Ceil", "Round", "Sign", "ThresholdedRelu", "Shrink")
POSITIVE = ("Log", "Sqrt", "Reciprocal")
TRIGONOMETRIC = ("Sin", "Cos", "Atan", "Sinh", "Asinh", "Cosh")
WITHIN = ("Asin", "Acos", "Atanh", "Tan", "Acosh")
"""Defined between -1 and 1 alone, or from 1 on; steep, or without end, beyond."""


@operator(*SMOOTH, *TRIGONOMETRIC)
def smooth(draw: Draw, name: str) -> Case:
    return Case(line("y", name, "x"), {}, place(draw))


@operator(*JUMPING)
def jumping(draw: Draw, name: str) -> Case:
    """On whole and broken numbers, jumps included."""
    attributes = {"ThresholdedRelu": {"alpha": 0.5}, "Shrink": {"lambd": 0.5, "bias": 0.25}}.get(name, {})
    scale = chosen(draw, 1.0, 2.0, 0.5)
    return Case(f"m = Mul(x, scale)\n{line('y', name, 'm', **attributes)}", {"scale": scale}, place(draw, exact=True))


@operator(*POSITIVE)
def positives(draw: Draw, name: str) -> Case:
    low = chosen(draw, 0.5, 0.1, 2.0)
    return Case(f"m = Abs(x)\np = Add(m, low)\n{line('y', name, 'p')}", {"low": low}, place(draw))


@operator(*WITHIN)
def within(draw: Draw, name: str) -> Case:
    nodes = "t = Tanh(x)\nm = Mul(t, share)\n"
    constants = {"share": 0.875}
    if name == "Acosh":
        nodes, constants = nodes.replace("m = Mul", "u = Mul") + "m = Add(u, two)\n", {**constants, "two": 2.0}
    return Case(nodes + line("y", name, "m"), constants, place(draw))


@operator("LeakyRelu", "Elu", "Celu")
def with_alpha(draw: Draw, name: str) -> Case:
    attributes = {"alpha": chosen(draw, 0.2, 0.01, 1.0, 1.5, *((0.0, -0.5) if name == "LeakyRelu" else ()))}
    return Case(line("y", name, "x", **(attributes if draw(st.booleans()) else {})), {}, place(draw))


@operator("Selu", "HardSigmoid")
def with_two(draw: Draw, name: str) -> Case:
    names = ("alpha", "gamma") if name == "Selu" else ("alpha", "beta")
    attributes: dict[str, Any] = {}
    for attribute in names:
        if draw(st.booleans()):
            attributes[attribute] = chosen(draw, 0.5, 0.16666667, 1.0, 0.3)
    return Case(line("y", name, "x", **attributes), {}, place(draw))


@operator("Gelu")
def gelu(draw: Draw) -> Case:
    attributes = chosen(draw, {}, {"approximate": "none"}, {"approximate": "tanh"})
    return Case(line("y", "Gelu", "x", **attributes), {}, place(draw))


@operator("Gelu, decomposed")
def decomposed(draw: Draw) -> Case:
    """What older exporters make of GELU, SiLU, h-swish, leaky ReLU and PReLU."""
    nodes = chosen(
        draw,
        "d = Div(x, root)\ne = Erf(d)\np = Add(e, one)\nm = Mul(x, p)\ny = Mul(m, half)",
        "h = Mul(x, half)\nd = Div(x, root)\ne = Erf(d)\np = Add(one, e)\ny = Mul(h, p)",
        "s = Sigmoid(x)\ny = Mul(x, s)",
        "h = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)\ny = Mul(x, h)",
        "p = Add(x, three)\nc = Clip(p, zero, six)\nm = Mul(x, c)\ny = Div(m, six)",
        "s = Softplus(x)\nt = Tanh(s)\ny = Mul(x, t)",
        "s = Mul(x, half)\ny = Max(x, s)",
        "r = Relu(x)\nn = Neg(x)\nq = Relu(n)\nm = Mul(q, half)\ny = Sub(r, m)",
        "n = Neg(x)\nw = Exp(n)\np = Add(w, one)\ny = Div(x, p)",
        "c = Mul(x, x)\nd = Mul(c, x)\nf = Mul(d, half)\ng = Add(x, f)\nt = Tanh(g)\np = Add(t, one)\ny = Mul(x, p)",
    )
    constants = {"root": 1.4142135, "one": 1.0, "half": 0.5, "three": 3.0, "zero": 0.0, "six": 6.0}
    return Case(nodes, {name: v for name, v in constants.items() if name in nodes}, place(draw))


@operator("Clip")
def clip(draw: Draw) -> Case:
    low = chosen(draw, None, 0.0, -1.0, -0.5, 0.25, -3.4028235e38)
    high = chosen(draw, None, 6.0, 1.0, 0.75, 0.3, 3.4028235e38)
    constants = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    inputs = {(0, 0): "x", (1, 0): "x, low", (0, 1): "x, , high", (1, 1): "x, low, high"}
    return Case(line("y", "Clip", inputs[low is not None, high is not None]), constants, place(draw))


@operator("PRelu")
def prelu(draw: Draw) -> Case:
    where = place(draw)
    _, c, h, w = shape(where)
    lengths = chosen(draw, (c, 1, 1), (1,), (1, c, 1, 1), (1, 1, 1), (w,), (h, w), (c, h, w), (1, c, 1, w))
    return Case(line("y", "PRelu", "x, slope"), {"slope": chosen(draw, signed, positive)(lengths)}, where)


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(draw: Draw, name: str) -> Case:
    attributes = {"axis": integer(draw, -4, 3)} if draw(st.booleans()) else {}
    if name != "Hardmax":
        return Case(line("y", name, "x", **attributes), {}, place(draw))
    where = place(draw, exact=True)  # and no two the same: which of them is the largest is nobody's promise
    return Case(f"m = Add(x, c)\n{line('y', name, 'm', **attributes)}", {"c": signed(shape(where))}, where)


@operator("Cast")
def cast(draw: Draw) -> Case:
    """To whole numbers, halves or truths, and back to float32."""
    kind = chosen(draw, 1, 6, 7, 9, 10, 11)
    return Case(f"m = Cast <to = {kind}> (x)\ny = Cast <to = 1> (m)", {}, place(draw, exact=True))
