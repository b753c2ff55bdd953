"""Pad, by whatever, on whichever side."""

from typing import Any

from tests.conformance.draws import Case, Draw, Weights, chosen, integer, line, operator, place, shape, st


@operator("Pad, constant")
def constant(draw: Draw) -> Case:
    where = place(draw)
    least = [0, 0, -1, -1]
    pads = [
        (integer(draw, low if n > 2 else 0, 4), integer(draw, low if n > 2 else 0, 4))
        for low, n in zip(least, shape(where), strict=True)
    ]
    if draw(st.booleans()):
        pads[1] = (0, 0)
    pads[0] = (0, 0)
    value: float | None = chosen(draw, None, 0.0, 1.5, -1.0)
    return _padded(draw, "constant", pads, where, value)


@operator("Pad, reflect", "Pad, edge", "Pad, wrap")
def extended(draw: Draw, name: str) -> Case:
    mode = name.rsplit(maxsplit=1)[-1]
    where = place(draw)
    pads = [(0, 0)] * 4
    axes = (1, 2, 3) if integer(draw, 0, 9) == 9 else (2, 3)
    for axis in axes:
        length = shape(where)[axis]
        most = {"reflect": length - 1, "wrap": length, "edge": 4}[mode]
        pads[axis] = integer(draw, 0, min(4, most)), integer(draw, 0, min(4, most))
    return _padded(draw, mode, pads, where, None)


def _padded(draw: Draw, mode: str, pads: list[tuple[int, int]], where: Any, value: float | None) -> Case:
    constants: dict[str, Any] = {}
    inputs = "x, pads"
    if value is not None:
        constants["value"] = value
    inputs += ", value" if value is not None else ""
    axes = list(range(4))
    if draw(st.booleans()):
        axes = [axis for axis in axes if pads[axis] != (0, 0)] or [3]
        constants["axes"] = tuple(axis - 4 if draw(st.booleans()) else axis for axis in axes)
        inputs += ", axes" if value is not None else ", , axes"
    constants["pads"] = (*(pads[axis][0] for axis in axes), *(pads[axis][1] for axis in axes))
    attributes = {} if mode == "constant" and draw(st.booleans()) else {"mode": mode}
    node = line("y", "Pad", inputs, **attributes)
    if draw(st.booleans()):
        return Case(node, constants, where)
    # Read by a convolution with pads of its own: what exporters make of nn.ReflectionPad2d and nn.Conv2d(padding=1).
    channels = where.channels + sum(pads[1])
    constants["w"] = Weights((3, channels, 2, 2))
    conv = line("y", "Conv", "p, w", pads=[integer(draw, 0, 1), integer(draw, 0, 1), 1, 1])
    return Case(f"p{node[1:]}\n{conv}", constants, where)
