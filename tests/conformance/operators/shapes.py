"""What moves values without computing."""

from typing import Any

from tests.conformance.draws import Case, Draw, chosen, integer, line, operator, place, shape, signed, st


@operator("Concat")
def concat(draw: Draw) -> Case:
    where = place(draw)
    axis = integer(draw, 1, 3)
    count = integer(draw, 1, 6)
    nodes, inputs, constants = ["h = Sigmoid(x)"], [], {}
    for index in range(count):
        kind = chosen(draw, "x", "h", "constant") if index else chosen(draw, "x", "h")
        if kind == "constant":
            lengths = list(shape(where))
            lengths[axis] = integer(draw, 1, 3)
            constants[f"c{index}"] = signed(tuple(lengths))
            kind = f"c{index}"
        inputs.append(kind)
    inputs = list(draw(st.permutations(inputs)))
    nodes.append(line("y", "Concat", ", ".join(inputs), axis=chosen(draw, axis, axis - 4)))
    return Case("\n".join(nodes[0 if "h" in inputs else 1 :]), constants, where)


@operator("Slice")
def slice_(draw: Draw) -> Case:
    where = place(draw)
    axes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True))
    starts, ends, steps, named = [], [], [], []
    backwards = integer(draw, 0, 4) == 4
    for axis in axes:
        length = shape(where)[axis]
        first = integer(draw, 0, length - 1)
        step = integer(draw, 1, 3)
        if backwards and draw(st.booleans()):
            last = integer(draw, -1, first - 1)
            starts.append(chosen(draw, first, first - length, *((2**31,) if first == length - 1 else ())))
            ends.append(last - length if last >= 0 else chosen(draw, -length - 1, -(2**31)))
            step = -step
        else:
            last = integer(draw, first + 1, length)
            starts.append(chosen(draw, first, first - length))
            ends.append(chosen(draw, last, *((2**31 - 1, 2**62) if last == length else (last - length,))))
        steps.append(step)
        named.append(chosen(draw, axis, axis - 4))
    constants: dict[str, Any] = {"s": tuple(starts), "e": tuple(ends), "a": tuple(named)}
    inputs = "x, s, e, a"
    if any(step != 1 for step in steps) or draw(st.booleans()):
        constants["t"], inputs = tuple(steps), "x, s, e, a, t"
    return Case(line("y", "Slice", inputs), constants, where)


@operator("Split")
def split(draw: Draw) -> Case:
    """Parts in another order, and some that nobody reads."""
    where = place(draw)
    axis = integer(draw, 1, 3)
    length = shape(where)[axis]
    count = integer(draw, 1, min(4, length))
    names = [f"p{index}" for index in range(count)]
    attributes: dict[str, Any] = {"axis": chosen(draw, axis, axis - 4)}
    constants: dict[str, Any] = {}
    inputs = "x"
    if draw(st.booleans()):
        cuts = (
            sorted(draw(st.sets(st.integers(1, length - 1), min_size=count - 1, max_size=count - 1)))
            if count > 1
            else []
        )
        constants["sizes"] = tuple(b - a for a, b in zip([0, *cuts], [*cuts, length], strict=True))
        inputs = "x, sizes"
    elif (count - 1) * -(-length // count) < length:
        attributes["num_outputs"] = count
    else:
        names, attributes["num_outputs"] = ["p0"], 1
    read = draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names), unique=True))
    nodes = line(", ".join(names), "Split", inputs, **attributes)
    return Case(f"{nodes}\n{line('y', 'Concat', ', '.join(read), axis=axis)}", constants, where)


@operator("Transpose")
def transpose(draw: Draw) -> Case:
    order = draw(st.permutations([1, 2, 3]))
    middle = chosen(draw, "n = Relu(t)", "n = Identity(t)", "n = Mul(t, c)", "n = Softmax <axis = 3> (t)")
    where = place(draw)
    constants = {"c": signed((shape(where)[order[2]],))} if "c)" in middle else {}
    first = line("t", "Transpose", "x", perm=[0, *order])
    if draw(st.booleans()):
        return Case(f"{first}\n{middle}\ny = Identity(n)", constants, where)
    back = [0, *(1 + order.index(axis) for axis in (1, 2, 3))]
    return Case(f"{first}\n{middle}\n{line('y', 'Transpose', 'n', perm=back)}", constants, where)


@operator("Reshape", "Flatten")
def reshape(draw: Draw, name: str) -> Case:
    """There, a function, and back or on to another shape of four axes."""
    where = place(draw, channels=chosen(draw, 1, 2, 3, 4), height=chosen(draw, 1, 2, 4, 6), width=chosen(draw, 1, 2, 4))
    _, c, h, w = shape(where)
    if name == "Flatten":
        first = line("r", "Flatten", "x", axis=integer(draw, -4, 4))
        constants: dict[str, Any] = {}
    else:
        views = [(1, c, h * w), (0, 0, -1), (1, -1), (c, h, w), (-1,), (1, c * h, w, 1), (1, c, h * w, 1), (1, h, w, c)]
        constants = {"view": chosen(draw, *views)}
        first = "r = Reshape(x, view)"
    constants["back"] = chosen(draw, shape(where), (1, c, -1, 1), (1, -1, 1, 1), (1, h, c, w))
    middle = chosen(draw, "n = Relu(r)", "n = Identity(r)", "n = Softmax <axis = -1> (r)")
    return Case(f"{first}\n{middle}\ny = Reshape(n, back)", constants, where)


@operator("Squeeze", "Unsqueeze")
def squeeze(draw: Draw, name: str) -> Case:
    where = place(draw)
    if name == "Squeeze":
        return Case("s = Squeeze(x, first)\nr = Relu(s)\ny = Unsqueeze(r, first)", {"first": (0,)}, where)
    at = integer(draw, 0, 4)
    return Case("u = Unsqueeze(x, at)\nr = Relu(u)\ny = Squeeze(r, at)", {"at": (chosen(draw, at, at - 5),)}, where)


@operator("Gather")
def gather(draw: Draw) -> Case:
    where = place(draw)
    axis = integer(draw, 1, 3)
    length = shape(where)[axis]
    if draw(st.booleans()):
        places = draw(st.lists(st.integers(-length, length - 1), min_size=1, max_size=5))
        return Case(line("y", "Gather", "x, i", axis=chosen(draw, axis, axis - 4)), {"i": tuple(places)}, where)
    nodes = f"{line('g', 'Gather', 'x, i', axis=axis)}\nu = Unsqueeze(g, a)\ny = Sub(x, u)"
    return Case(nodes, {"i": integer(draw, -length, length - 1), "a": (axis,)}, where)


@operator("Expand", "Tile")
def grown(draw: Draw, name: str) -> Case:
    where = place(draw, chosen(draw, 1, 3), chosen(draw, 1, 4), chosen(draw, 1, 3))
    if name == "Tile":
        return Case("y = Tile(x, n)", {"n": (1, *(integer(draw, 1, 3) for _ in range(3)))}, where)
    to = tuple(integer(draw, 1, 4) if n == 1 and i else chosen(draw, n, 1) for i, n in enumerate(shape(where)))
    return Case("y = Expand(x, to)", {"to": chosen(draw, to, to[1:], to[2:])}, where)


@operator("Dropout")
def dropout(draw: Draw) -> Case:
    return Case("y = Dropout(x)", {}, place(draw))
