"""Matrix products: on pooled vectors, on pixels, and between two computed values."""

from typing import Any

from tests.conformance.draws import Case, Draw, Weights, chosen, integer, line, operator, place, signed, st


@operator("Gemm")
def gemm(draw: Draw) -> Case:
    """A gate: pool, two layers, back onto the picture."""
    # Two layers of one number each do not load in OpenVINO 2026.4 ("Layout rank can't be larger than tensor rank").
    where = place(draw, chosen(draw, 2, 3, 4))
    channels, inner = where.channels, integer(draw, 1, 4)
    flat = chosen(draw, "f = Flatten(p)", "f = Reshape(p, flat)", "f = Squeeze(p, spatial)")
    constants: dict[str, Any] = {"flat": (1, channels)} if "flat" in flat else {}
    constants |= {"spatial": (2, 3)} if "spatial" in flat else {}
    nodes = ["p = GlobalAveragePool(x)", flat]
    name = "f"
    for index, (before, after) in enumerate(((channels, inner), (inner, channels))):
        transposed = draw(st.booleans())
        attributes: dict[str, Any] = {"transB": 1} if transposed else {}
        for factor in ("alpha", "beta"):
            if draw(st.booleans()):
                attributes[factor] = chosen(draw, 0.5, 2.0)
        constants[f"w{index}"] = Weights((after, before) if transposed else (before, after), 2.0)
        inputs = f"{name}, w{index}"
        lengths = chosen(draw, None, (after,), (1, after), (1,), ())
        if lengths is not None:
            constants[f"b{index}"] = signed(lengths)
            inputs += f", b{index}"
        nodes += [line(f"g{index}", "Gemm", inputs, **attributes)]
        name = f"g{index}"
        if draw(st.booleans()):
            nodes, name = [*nodes, line(f"a{index}", chosen(draw, "Relu", "Sigmoid"), name)], f"a{index}"
    constants["back"] = (1, channels, 1, 1)
    nodes += [f"r = Reshape({name}, back)", chosen(draw, "y = Mul(x, r)", "y = Add(x, r)")]
    return Case("\n".join(nodes), constants, where)


@operator("Gemm, transposed")
def gemm_transposed(draw: Draw) -> Case:
    where = place(draw)
    c, pixels = where.channels, where.height * where.width
    constants: dict[str, Any] = {"flat": (c, pixels), "w": Weights((c, 3)), "back": (1, where.height, where.width, 3)}
    nodes = "f = Reshape(x, flat)\ng = Gemm <transA = 1> (f, w)\nr = Reshape(g, back)\n"
    nodes += "y = Transpose <perm = [0, 3, 1, 2]> (r)"
    return Case(nodes, constants, where)


@operator("MatMul")
def matmul(draw: Draw) -> Case:
    """With a constant matrix: columns, pixels channels last, tokens, or a pooled vector."""
    where = place(draw)
    c, out = where.channels, integer(draw, 1, 4)
    kind = chosen(draw, "columns", "channels last", "tokens", "vector", "from the left", "one axis")
    last, first = "Transpose <perm = [0, 2, 3, 1]>", "Transpose <perm = [0, 3, 1, 2]>"
    if kind == "columns":
        return Case("y = MatMul(x, w)", {"w": Weights((where.width, out), 3.0)}, where)
    if kind == "from the left":
        return Case("y = MatMul(w, x)", {"w": Weights((out, where.height), 3.0)}, where)
    if kind == "one axis":
        return Case("m = MatMul(x, w)\ny = Unsqueeze(m, a)", {"w": signed((where.width,)), "a": (3,)}, where)
    weights: dict[str, Any] = {"w": Weights((c, out), 3.0)}
    if kind == "channels last":
        return Case(f"t = {last} (x)\nm = MatMul(t, w)\ny = {first} (m)", weights, where)
    if kind == "tokens":
        constants = {**weights, "flat": (1, c, -1), "back": (1, out, where.height, where.width)}
        nodes = "f = Reshape(x, flat)\nt = Transpose <perm = [0, 2, 1]> (f)\nm = MatMul(t, w)\n"
        return Case(nodes + "u = Transpose <perm = [0, 2, 1]> (m)\ny = Reshape(u, back)", constants, where)
    constants = {**weights, "b": signed((out,)), "back": (1, out, 1, 1)}
    nodes = "p = GlobalAveragePool(x)\nf = Flatten(p)\nm = MatMul(f, w)\na = Add(m, b)\ny = Reshape(a, back)"
    return Case(nodes, constants, where)


@operator("Attention", "Einsum")
def attention(draw: Draw, name: str) -> Case:
    """Products of two computed values."""
    where = place(draw, chosen(draw, 2, 3, 4), integer(draw, 1, 3), integer(draw, 2, 3))
    c, back = where.channels, (1, where.channels, where.height, where.width)
    if name == "Einsum":
        return Case('m = Einsum <equation = "bchw,dc->bdhw"> (x, w)\ny = Relu(m)', {"w": Weights((3, c), 2.0)}, where)
    constants: dict[str, Any] = {"flat": (1, c, -1), "back": back}
    nodes = [
        "f = Reshape(x, flat)",
        "t = Transpose <perm = [0, 2, 1]> (f)",
        "s = MatMul(t, f)",
        "a = Softmax <axis = -1> (s)",
        "o = MatMul(a, t)",
        "u = Transpose <perm = [0, 2, 1]> (o)",
        "y = Reshape(u, back)",
    ]
    return Case("\n".join(nodes), constants, where)
