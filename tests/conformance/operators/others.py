"""What generators seldom have: warping, scattering, choosing. Only ONNX and OpenVINO promise most of it."""

from typing import Any

from tests.conformance.draws import Case, Draw, chosen, integer, line, operator, place, shape, signed, st


@operator("GridSample")
def grid_sample(draw: Draw) -> Case:
    """Pixels from other places, as motion transfer and lens correction do it."""
    where = place(draw, None, integer(draw, 2, 7), integer(draw, 2, 7))
    attributes: dict[str, Any] = {"mode": chosen(draw, "linear", "nearest", "cubic")}
    if draw(st.booleans()):
        attributes["padding_mode"] = chosen(draw, "zeros", "border", "reflection")
    if draw(st.booleans()):
        attributes["align_corners"] = 1
    grid = (1, integer(draw, 1, 7), integer(draw, 1, 7), 2)
    return Case(line("y", "GridSample", "x, grid", **attributes), {"grid": signed(grid)}, where)


@operator("GatherElements", "GatherND")
def picked(draw: Draw, name: str) -> Case:
    where = place(draw)
    _, channels, height, width = shape(where)
    if name == "GatherND":
        places = (integer(draw, 0, channels - 1), integer(draw, 0, height - 1), integer(draw, 0, width - 1))
        nodes = "i = Reshape(flat, to)\ng = GatherND <batch_dims = 1> (x, i)\nr = Reshape(g, one)\ny = Sub(x, r)"
        return Case(nodes, {"flat": places, "to": (1, 1, 3), "one": (1, 1, 1, 1)}, where)
    column = tuple(integer(draw, -height, height - 1) for _ in range(width))
    constants = {"row": column, "to": (1, channels, 1, width)}
    return Case("i = Expand(row, to)\ny = GatherElements <axis = 2> (x, i)", constants, where)


@operator("ScatterND", "ScatterElements")
def scattered(draw: Draw, name: str) -> Case:
    """Some values replaced: what assignment to a part of a tensor is exported as. All of them may be: so x is added,
    for a file whose picture depends on nothing is none.
    """
    where = place(draw)
    _, channels, height, width = shape(where)
    if name == "ScatterND":
        row = integer(draw, 0, channels - 1)
        constants: dict[str, Any] = {"flat": (0, row), "to": (1, 2), "new": signed((1, height, width))}
        return Case("i = Reshape(flat, to)\ns = ScatterND(x, i, new)\ny = Add(s, x)", constants, where)
    constants = {
        "at": integer(draw, 0, width - 1),
        "to": (1, channels, height, 1),
        "new": signed((1, channels, height, 1)),
    }
    return Case("i = Expand(at, to)\ns = ScatterElements <axis = 3> (x, i, new)\ny = Add(s, x)", constants, where)


@operator("TopK")
def top(draw: Draw) -> Case:
    """The largest or smallest along an axis, in order."""
    where = place(draw)
    axis = integer(draw, 1, 3)
    attributes = {"axis": axis, "largest": integer(draw, 0, 1)}
    count = (integer(draw, 1, shape(where)[axis]),)
    return Case(line("y, i", "TopK", "x, k", **attributes), {"k": count}, where)


@operator("Trilu", "CenterCropPad")
def cut(draw: Draw, name: str) -> Case:
    where = place(draw)
    if name == "Trilu":
        return Case(line("y", name, "x", upper=integer(draw, 0, 1)), {}, where)
    size = (integer(draw, 1, 9), integer(draw, 1, 9))
    return Case(line("y", name, "x, size", axes=[2, 3]), {"size": size}, where)


@operator("IsNaN", "IsInf")
def replaced(draw: Draw, name: str) -> Case:
    """A guard against what is no number."""
    where = place(draw, exact=True)
    return Case(f"n = {name}(x)\ny = Where(n, zero, x)", {"zero": 0.0}, where)


@operator("Size and Shape")
def computed_size(draw: Draw) -> Case:
    """Sizes that a graph computes of its own tensors."""
    where = place(draw)
    kind = chosen(draw, "size", "shape", "range")
    if kind == "size":
        nodes = "s = Size(x)\nf = Cast <to = 1> (s)\nr = Reciprocal(f)\ny = Mul(x, r)"
        return Case(nodes, {}, where)
    if kind == "shape":
        start = chosen(draw, 1, 2, -2)
        nodes = f"{line('s', 'Shape', 'x', start=start)}\nf = Cast <to = 1> (s)\n"
        nodes += "m = ReduceMax <keepdims = 0> (f)\ny = Div(x, m)"
        return Case(nodes, {}, where)
    nodes = "s = Shape <start = 3> (x)\nn = Squeeze(s)\nr = Range(zero, n, one)\nf = Cast <to = 1> (r)\ny = Add(x, f)"
    return Case(nodes, {"zero": 0, "one": 1}, where)


@operator("Assignment to a part")
def assigned(draw: Draw) -> Case:
    """Shrunk, changed, and put back between its neighbours by Slice and Concat."""
    where = place(draw, None, integer(draw, 3, 8), integer(draw, 2, 8))
    first = integer(draw, 1, where.height - 2)
    last = integer(draw, first + 1, where.height - 1)
    constants: dict[str, Any] = {"zero": (0,), "first": (first,), "last": (last,), "end": (2**31,), "axis": (2,)}
    nodes = "a = Slice(x, zero, first, axis)\nb = Slice(x, first, last, axis)\nc = Slice(x, last, end, axis)\n"
    function = chosen(draw, "Tanh", "Neg", "Abs")
    return Case(f"{nodes}d = {function}(b)\ny = Concat <axis = 2> (a, d, c)", constants, where)


@operator("OneHot")
def one_hot(draw: Draw) -> Case:
    """A choice among columns, as a condition of a generator is exported."""
    where = place(draw)
    constants: dict[str, Any] = {
        "at": (integer(draw, 0, where.channels - 1),),
        "depth": where.channels,
        "values": (0.0, 1.0),
    }
    nodes = "h = OneHot <axis = 1> (at, depth, values)\nr = Reshape(h, to)\n"
    constants["to"] = (1, where.channels, 1, 1)
    return Case(nodes + "y = Add(x, r)", constants, where)
