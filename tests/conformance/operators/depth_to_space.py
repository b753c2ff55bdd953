"""Between channels and pixels, as operators and decomposed."""

from typing import Any

from tests.conformance.draws import Case, Draw, Weights, chosen, integer, line, operator, place, st


@operator("DepthToSpace")
def depth_to_space(draw: Draw) -> Case:
    block = integer(draw, 1, 4)
    where = place(draw, integer(draw, 1, 3) * block**2)
    attributes: dict[str, Any] = {"blocksize": block}
    if draw(st.booleans()):
        attributes["mode"] = chosen(draw, "DCR", "CRD")
    node = line("y", "DepthToSpace", "m", **attributes)
    first = chosen(draw, "m = Identity(x)", "Conv", "ConvTranspose", "m = Relu(x)", "Grouped")
    constants: dict[str, Any] = {}
    if first == "Conv":
        constants["w"], first = Weights((where.channels, where.channels, 1, 1)), "m = Conv(x, w)"
    elif first == "ConvTranspose":
        constants["w"], first = Weights((where.channels, where.channels, 2, 2)), "m = ConvTranspose(x, w)"
    elif first == "Grouped":
        constants["w"] = Weights((where.channels, 1, 1, 1))
        first = f"m = Conv <group = {where.channels}> (x, w)"
    if draw(st.booleans()):
        tail = "" if draw(st.booleans()) else "\ny = PRelu(d, slope)"
        if tail:
            constants["slope"] = Weights((where.channels // block**2, 1, 1))
            node = "d" + node[1:]
        return Case(f"{first}\n{node}{tail}", constants, where)
    # Somebody else reads the channels, in their own order.
    second = f"{first}\nz{node[1:]}\np = GlobalAveragePool(m)\ng = ReduceMean(p, one)\ny = Add(z, g)"
    return Case(second, {**constants, "one": (1,)}, where)


@operator("SpaceToDepth")
def space_to_depth(draw: Draw) -> Case:
    block = integer(draw, 1, 4)
    where = place(draw, None, integer(draw, 1, 3) * block, integer(draw, 1, 3) * block)
    return Case(line("y", "SpaceToDepth", "x", blocksize=block), {}, where)


@operator("Pixel shuffle, decomposed", "Pixel unshuffle, decomposed", "Channel shuffle")
def decomposed(draw: Draw, name: str) -> Case:
    """Reshape, Transpose, Reshape."""
    block, c, h, w = (integer(draw, 1, 3) for _ in range(4))
    if name.startswith("Channel"):
        where = place(draw, c * block, h, w)
        first, order, last = (1, block, c, h, w), [0, 2, 1, 3, 4], (1, c * block, h, w)
    elif "unshuffle" in name:
        where = place(draw, c, h * block, w * block)
        first, order, last = (1, c, h, block, w, block), [0, 1, 3, 5, 2, 4], (1, c * block**2, h, w)
        if draw(st.booleans()):
            order = [0, 3, 5, 1, 2, 4]
    else:
        where = place(draw, c * block**2, h, w)
        first, order = (1, c, block, block, h, w), [0, 1, 4, 2, 5, 3]
        if draw(st.booleans()):
            first, order = (1, block, block, c, h, w), [0, 3, 4, 1, 5, 2]
        last = (1, c, h * block, w * block)
    nodes = f"r = Reshape(x, first)\n{line('t', 'Transpose', 'r', perm=order)}\ny = Reshape(t, last)"
    return Case(nodes, {"first": first, "last": last}, where)
