"""Normalizations, as operators and as exporters spell them out."""

from typing import Any

from tests.conformance.draws import (
    Case,
    Draw,
    Weights,
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

_EPSILONS = (1e-5, 1e-3, 1e-2)


def _affine(draw: Draw, channels: int) -> dict[str, Any]:
    """Scale and shift, or what a norm without them is exported with."""
    if draw(st.booleans()):
        return {"g": Weights((channels,), 0.5, 1.0), "b": signed((channels,))}
    return {"g": (1.0,) * channels, "b": (0.0,) * channels}


@operator("InstanceNormalization")
def instance(draw: Draw) -> Case:
    where = place(draw, height=integer(draw, 1, 9), width=integer(draw, 2, 9))
    attributes = {"epsilon": chosen(draw, *_EPSILONS)} if draw(st.booleans()) else {}
    return Case(line("y", "InstanceNormalization", "x, g, b", **attributes), _affine(draw, where.channels), where)


@operator("BatchNormalization")
def batch(draw: Draw) -> Case:
    where = place(draw)
    constants = _affine(draw, where.channels)
    constants |= {"mean": signed((where.channels,)), "variance": positive((where.channels,))}
    attributes = {"epsilon": chosen(draw, *_EPSILONS)} if draw(st.booleans()) else {}
    return Case(line("y", "BatchNormalization", "x, g, b, mean, variance", **attributes), constants, where)


@operator("Group norm")
def group(draw: Draw) -> Case:
    """As torch exports it: a norm of a view, then a scale and shift a channel."""
    groups, each = integer(draw, 1, 3), integer(draw, 1, 3)
    where = place(draw, groups * each, integer(draw, 1, 7), integer(draw, 2, 7))
    view = chosen(draw, (0, groups, -1), (1, groups, -1), (1, groups, each * where.height * where.width))
    constants: dict[str, Any] = {"view": view, "one": (1.0,) * groups, "zero": (0.0,) * groups, "back": shape(where)}
    nodes = "v = Reshape(x, view)\nn = InstanceNormalization(v, one, zero)\n"
    if not draw(st.booleans()):
        return Case(nodes + "y = Reshape(n, back)", constants, where)
    constants |= {"g": Weights((groups * each, 1, 1), 0.5, 1.0), "b": signed((groups * each, 1, 1))}
    return Case(nodes + "r = Reshape(n, back)\nm = Mul(r, g)\ny = Add(m, b)", constants, where)


@operator("LayerNormalization")
def layer(draw: Draw) -> Case:
    """Over any axes from one on; channels last behind a Transpose, as ConvNeXt does it."""
    where = place(draw, height=integer(draw, 1, 7), width=integer(draw, 2, 7))
    if draw(st.booleans()):
        channels = max(2, where.channels)
        where = place(draw, channels, where.height, where.width)
        constants: dict[str, Any] = {"g": Weights((channels,), 0.5, 1.0), "b": signed((channels,))}
        to, back = "Transpose <perm = [0, 2, 3, 1]>", "Transpose <perm = [0, 3, 1, 2]>"
        return Case(f"t = {to} (x)\nn = LayerNormalization(t, g, b)\ny = {back} (n)", constants, where)
    axis = integer(draw, 1, 3)
    normalized = shape(where)[axis:]
    constants = {"g": positive(normalized)}
    if draw(st.booleans()):
        constants["b"] = signed(normalized)
    chosen_axis = chosen(draw, axis, axis - 4)
    node = line("y", "LayerNormalization", ", ".join(["x", *constants]), axis=chosen_axis)
    return Case(node, constants, where)


@operator("Norm, decomposed")
def decomposed(draw: Draw) -> Case:
    """Mean, deviation, variance, root: over pixels, channels or all, in the variants of several exporters."""
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 2, 7), integer(draw, 2, 7))
    axes = chosen(draw, (2, 3), (-2, -1), (1,), (1, 2, 3), (3,))
    square = chosen(draw, "q = Mul(d, d)", "q = Pow(d, two)")
    constants: dict[str, Any] = {"axes": axes, "eps": chosen(draw, 1e-5, 1e-3)}
    if "Pow" in square:
        constants["two"] = 2.0
    root = chosen(
        draw,
        "s = Sqrt(e)\nn = Div(d, s)",
        "s = Sqrt(e)\ni = Reciprocal(s)\nn = Mul(d, i)",
        "i = Pow(e, minus)\nn = Mul(d, i)",
        "s = Pow(e, root)\nn = Div(d, s)",
    )
    constants |= {"minus": -0.5} if "minus" in root else {}
    constants |= {"root": 0.5} if "root" in root else {}
    nodes = f"m = ReduceMean(x, axes)\nd = Sub(x, m)\n{square}\nv = ReduceMean(q, axes)\ne = Add(v, eps)\n{root}\n"
    if draw(st.booleans()):
        constants |= {"g": positive((where.channels, 1, 1)), "b": signed((1, where.channels, 1, 1))}
        return Case(nodes + "o = Mul(n, g)\ny = Add(o, b)", constants, where)
    return Case(nodes + "y = Identity(n)", constants, where)


@operator("Norm, TensorFlow's")
def moments(draw: Draw) -> Case:
    """``x * (g / s) + (b - m * g / s)``, as tf2onnx leaves tf.nn.batch_normalization of tf.nn.moments."""
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 2, 7), integer(draw, 2, 7))
    constants = {
        "axes": (2, 3),
        "eps": 1e-3,
        "g": positive((1, where.channels, 1, 1)),
        "b": signed((where.channels, 1, 1)),
    }
    nodes = """m = ReduceMean(x, axes)
        d = Sub(x, m)
        q = Mul(d, d)
        v = ReduceMean(q, axes)
        e = Add(v, eps)
        s = Sqrt(e)
        i = Reciprocal(s)
        f = Mul(i, g)
        z = Mul(m, f)
        h = Sub(b, z)
        k = Mul(x, f)
        y = Add(k, h)"""
    return Case("\n".join(node.strip() for node in nodes.splitlines()), constants, where)


@operator("Adaptive instance norm")
def adaptive(draw: Draw) -> Case:
    """A norm whose scale and shift are computed from a style vector."""
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 2, 7), integer(draw, 2, 7))
    channels = where.channels
    constants: dict[str, Any] = {
        "one": (1.0,) * channels,
        "zero": (0.0,) * channels,
        "w": Weights((2 * channels, channels), 2.0),
        "c": positive((2 * channels,)),
        "shape": (1, 2 * channels, 1, 1),
    }
    nodes = [
        "n = InstanceNormalization(x, one, zero)",
        "p = GlobalAveragePool(x)",
        "f = Flatten(p)",
        "l = Gemm <transB = 1> (f, w, c)",
        "r = Reshape(l, shape)",
        "g, b = Split <axis = 1, num_outputs = 2> (r)",
        "m = Mul(n, g)",
        "y = Add(m, b)",
    ]
    return Case("\n".join(nodes), constants, where)


@operator("Adaptive instance norm, of statistics")
def statistics(draw: Draw) -> Case:
    """Normalized by its own mean and deviation, then given those of other features, as in arbitrary style transfer."""
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 2, 7), integer(draw, 2, 7))
    constants: dict[str, Any] = {"w": Weights((where.channels, where.channels, 1, 1), 2.0), "axes": (2, 3), "eps": 1e-3}
    nodes = ["o = Conv(x, w)", "s = Sigmoid(o)"]
    for value in ("x", "s"):
        nodes += [
            f"m{value} = ReduceMean({value}, axes)",
            f"d{value} = Sub({value}, m{value})",
            f"q{value} = Mul(d{value}, d{value})",
            f"v{value} = ReduceMean(q{value}, axes)",
            f"e{value} = Add(v{value}, eps)",
            f"r{value} = Sqrt(e{value})",
        ]
    if draw(st.booleans()):
        nodes[2:8] = ["nx = InstanceNormalization(x, one, zero)"]
        constants |= {"one": (1.0,) * where.channels, "zero": (0.0,) * where.channels}
    else:
        nodes.append("nx = Div(dx, rx)")
    nodes += ["k = Mul(nx, rs)", "y = Add(k, ms)"]
    return Case("\n".join(nodes), constants, where)


@operator("MeanVarianceNormalization")
def mean_variance(draw: Draw) -> Case:
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 2, 7), integer(draw, 2, 7))
    axes = chosen(draw, [2, 3], [1, 2, 3], [0, 2, 3])
    norm = line("y", "MeanVarianceNormalization", "m", axes=axes)
    # Values that are all alike have no norm.
    return Case(
        f"m = Add(x, noise)\n{norm}", {"noise": Weights((1, where.channels, where.height, where.width), 2.0)}, where
    )


@operator("LRN")
def local_response(draw: Draw) -> Case:
    attributes = {"size": chosen(draw, 1, 3, 5), "alpha": chosen(draw, 0.1, 0.5), "bias": chosen(draw, 1.0, 2.0)}
    return Case(line("y", "LRN", "x", **attributes), {}, place(draw, chosen(draw, 2, 3, 4)))


@operator("Pixel norm", "LpNormalization")
def pixel(draw: Draw, name: str) -> Case:
    """Each pixel by the length of its channels."""
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 1, 7), integer(draw, 2, 7))
    shift = {"up": 3.0}  # away from zero, where a length has no direction
    if name == "LpNormalization":
        node = line("y", name, "u", axis=integer(draw, -3, 3) or 1, p=chosen(draw, 1, 2))
        return Case(f"u = Add(x, up)\n{node}", shift, where)
    constants = {**shift, "two": 2.0, "axes": (1,), "eps": 1e-5}
    body = chosen(
        draw,
        "q = Pow(u, two)\nm = ReduceMean(q, axes)\ne = Add(m, eps)\ns = Sqrt(e)\ny = Div(u, s)",
        "l = ReduceL2(u, axes)\ne = Add(l, eps)\ny = Div(u, e)",
        "q = ReduceSumSquare(u, axes)\ns = Sqrt(q)\ny = Div(u, s)",
    )
    constants = {k: v for k, v in constants.items() if k == "up" or f"{k})" in body}
    return Case(f"u = Add(x, up)\n{body}", constants, where)
