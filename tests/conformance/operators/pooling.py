"""Pools over a moving window, and over the whole picture."""

from typing import Any

from tests.conformance.draws import Case, Draw, chosen, integer, line, operator, place, st


@operator("MaxPool", "AveragePool")
def pool(draw: Draw, name: str) -> Case:
    kernel = [integer(draw, 1, 4) for _ in range(2)]
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    if draw(st.booleans()):
        attributes["strides"] = [integer(draw, 1, 3) for _ in range(2)]
    dilations = [1, 1]
    if integer(draw, 0, 4) == 4:
        dilations = attributes["dilations"] = [integer(draw, 1, 2) for _ in range(2)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    # onnxruntime, the judge, takes no SAME where the stride skips pixels.
    strides = attributes.get("strides", [1, 1])
    # ONNX's own shape inference and onnxruntime disagree about SAME of dilated windows.
    fits = all(s <= k for s, k in zip(strides, kernel, strict=True)) and dilations == [1, 1]
    same = ("SAME_UPPER", "SAME_LOWER") if fits else ()
    auto = chosen(draw, "NOTSET", "NOTSET", "NOTSET", "VALID", *same)
    least = reach
    if auto != "NOTSET":
        attributes["auto_pad"] = auto
        least = [1, 1] if auto.startswith("SAME") else reach
    elif draw(st.booleans()):
        # Runtimes want pads smaller than the kernel, so that no window lies outside.
        pads = [integer(draw, 0, kernel[i % 2] - 1) for i in range(4)]
        attributes["pads"] = pads
        least = [max(1, reach[i] - pads[i] - pads[i + 2]) for i in range(2)]
    if auto == "NOTSET" and integer(draw, 0, 3) == 3:
        attributes["ceil_mode"] = 1
    if name == "AveragePool" and draw(st.booleans()):
        attributes["count_include_pad"] = 1
    height, width = (integer(draw, n, n + 7) for n in least)
    return Case(line("y", name, "x", **attributes), {}, place(draw, None, height, width))


@operator("LpPool")
def lp_pool(draw: Draw) -> Case:
    kernel = [integer(draw, 1, 3) for _ in range(2)]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "p": chosen(draw, 1, 2)}
    if draw(st.booleans()):
        attributes["strides"] = [integer(draw, 1, 2) for _ in range(2)]
    # Away from zero, where a root is steep.
    nodes = f"a = Abs(x)\nb = Add(a, low)\n{line('y', 'LpPool', 'b', **attributes)}"
    return Case(nodes, {"low": 0.5}, place(draw, None, *(integer(draw, n, n + 5) for n in kernel)))


@operator("MaxUnpool")
def unpool(draw: Draw) -> Case:
    """Back to where the largest were: the decoder of segmenting networks."""
    # What is equal has no one place.
    where = place(draw, None, 2 * integer(draw, 1, 3), 2 * integer(draw, 1, 3))
    nodes = "m, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)\nr = Tanh(m)\n"
    return Case(nodes + "y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (r, i)", {}, where)


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def over_all(draw: Draw, name: str) -> Case:
    tail = chosen(draw, "y = Sub(x, r)", "y = Mul(x, r)", "s = Sigmoid(r)\ny = Mul(s, x)", "y = Identity(r)")
    return Case(f"{line('r', name, 'x')}\n{tail}", {}, place(draw))
