"""Conv and ConvTranspose."""

from typing import Any

from tests.conformance.draws import Case, Draw, Weights, chosen, integer, line, operator, place, signed, st


@operator("Conv")
def conv(draw: Draw) -> Case:
    groups = integer(draw, 1, 4)
    return _conv(draw, groups, integer(draw, 1, 3), integer(draw, 1, 3))


@operator("Conv, depthwise")
def depthwise(draw: Draw) -> Case:
    return _conv(draw, integer(draw, 1, 6), 1, integer(draw, 1, 3))


def _conv(draw: Draw, groups: int, inner: int, outer: int) -> Case:
    kernel = [integer(draw, 1, 5) for _ in range(2)]
    strides = [integer(draw, 1, 3) for _ in range(2)]
    dilations = [integer(draw, 1, 3) for _ in range(2)] if draw(st.booleans()) else [1, 1]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    # onnxruntime, the judge, takes no dilation beside SAME.
    same = ("SAME_UPPER", "SAME_LOWER") if dilations == [1, 1] else ()
    auto = chosen(draw, "NOTSET", "NOTSET", "VALID", *same)
    pads = [integer(draw, 0, 4) for _ in range(4)] if auto == "NOTSET" else [0, 0, 0, 0]
    least = [1 if auto.startswith("SAME") else max(1, reach[i] - pads[i] - pads[i + 2]) for i in range(2)]
    height, width = (integer(draw, n, n + 8) for n in least)
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": groups}
    attributes |= {"pads": pads} if auto == "NOTSET" else {"auto_pad": auto}
    constants: dict[str, Any] = {"w": Weights((groups * outer, inner, *kernel))}
    inputs = "x, w"
    if draw(st.booleans()):
        inputs, constants["b"] = "x, w, b", signed((groups * outer,))
    where = place(draw, groups * inner, height, width)
    behind = chosen(draw, "", "", "Relu", "Clip", "BatchNormalization")
    return _followed(behind, line("y", "Conv", inputs, **attributes), constants, where, groups * outer)


def _followed(behind: str, node: str, constants: dict[str, Any], where: Any, channels: int) -> Case:
    """The node, and behind it what converters like to merge with it."""
    if not behind:
        return Case(node, constants, where)
    if behind == "Clip":
        constants |= {"low": 0.0, "high": 6.0}
    if behind == "BatchNormalization":
        constants |= {name: signed((channels,)) for name in ("shift", "mean")}
        constants |= {name: Weights((channels,), 0.4, 1.0) for name in ("scale", "variance")}
    inputs = {"Relu": "m", "Clip": "m, low, high"}.get(behind, "m, scale, shift, mean, variance")
    return Case(f"m{node[1:]}\n{line('y', behind, inputs)}", constants, where)


@operator("ConvTranspose")
def conv_transpose(draw: Draw) -> Case:
    groups, inner, outer = integer(draw, 1, 3), integer(draw, 1, 3), integer(draw, 1, 3)
    kernel = [integer(draw, 1, 5) for _ in range(2)]
    strides = [integer(draw, 1, 4) for _ in range(2)] if draw(st.booleans()) else [2, 2]
    dilations = [integer(draw, 1, 2) for _ in range(2)] if draw(st.booleans()) else [1, 1]
    extra = [integer(draw, 0, s - 1) for s in strides]
    size = [integer(draw, 1, 6) for _ in range(2)]
    full = [
        s * (n - 1) + o + (k - 1) * d + 1 for s, n, o, k, d in zip(strides, size, extra, kernel, dilations, strict=True)
    ]
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": groups}
    # What output_padding means beside auto_pad, onnx and onnxruntime do not agree on.
    how = "pads" if any(extra) else chosen(draw, "pads", "SAME_UPPER", "SAME_LOWER", "VALID", "output_shape")
    if any(extra):
        attributes["output_padding"] = extra
    if how == "pads":
        starts = [integer(draw, 0, min(4, n - 1)) for n in full]
        ends = [integer(draw, 0, min(4, n - 1 - s)) for n, s in zip(full, starts, strict=True)]
        attributes["pads"] = [*starts, *ends]
    elif how == "output_shape":
        # onnx infers no shape for an output that is smaller than the input.
        attributes["output_shape"] = [integer(draw, min(n, f), f) for n, f in zip(size, full, strict=True)]
    else:
        attributes["auto_pad"] = how
    constants: dict[str, Any] = {"w": Weights((groups * inner, outer, *kernel), 2.0)}
    inputs = "x, w"
    if draw(st.booleans()):
        inputs, constants["b"] = "x, w, b", signed((groups * outer,))
    where = place(draw, groups * inner, *size)
    behind = chosen(draw, "", "", "Relu", "Clip", "BatchNormalization", "Slice")
    node = line("y", "ConvTranspose", inputs, **attributes)
    if behind == "Slice" and how == "pads":
        out = [n - s - e for n, s, e in zip(full, starts, ends, strict=True)]
        constants["starts"] = tuple(integer(draw, 0, n - 1) for n in out)
        constants["ends"] = tuple(integer(draw, s + 1, n) for n, s in zip(out, constants["starts"], strict=True))
        constants["axes"] = (2, 3)
        return Case(f"m{node[1:]}\ny = Slice(m, starts, ends, axes)", constants, where)
    return _followed("" if behind == "Slice" else behind, node, constants, where, groups * outer)


@operator("Conv, computed weights")
def modulated(draw: Draw) -> Case:
    """Weights scaled by a style that is computed from the picture, and normalized again, as StyleGAN2 does."""
    channels, out = integer(draw, 1, 4), integer(draw, 1, 4)
    kernel = integer(draw, 1, 3)
    constants: dict[str, Any] = {"w": Weights((out, channels, kernel, kernel)), "axes": (1, 2, 3), "eps": 1e-3}
    nodes = "p = GlobalAveragePool(x)\ns = Sigmoid(p)\nm = Mul(w, s)\n"
    if draw(st.booleans()):
        nodes += "q = Mul(m, m)\nv = ReduceSum(q, axes)\ne = Add(v, eps)\nr = Sqrt(e)\nd = Div(m, r)\n"
    else:
        nodes += "d = Identity(m)\n"
        constants = {"w": constants["w"]}
    edge = kernel // 2
    conv = line("y", "Conv", "x, d", pads=[edge, edge, edge, edge])
    return Case(nodes + conv, constants, place(draw, channels, integer(draw, 3, 8), integer(draw, 3, 8)))


@operator("Conv, of one axis")
def of_one_axis(draw: Draw) -> Case:
    """Along the pixels as a row: what efficient channel attention does with channels."""
    where = place(draw)
    pads = chosen(draw, [0, 0], [1, 1])
    constants: dict[str, Any] = {"flat": (1, 1, where.channels), "w": Weights((1, 1, 1 + sum(pads)))}
    nodes = f"p = GlobalAveragePool(x)\nf = Reshape(p, flat)\n{line('c', 'Conv', 'f, w', pads=pads)}\n"
    constants["back"] = (1, where.channels, 1, 1)
    return Case(nodes + "r = Reshape(c, back)\ns = Sigmoid(r)\ny = Mul(x, s)", constants, where)
