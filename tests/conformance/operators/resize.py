"""Resize: every mode, coordinate convention and way to say the size."""

from typing import Any

from tests.conformance.draws import Case, Draw, Place, Weights, chosen, integer, line, operator, place, st

_CONVENTIONS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@operator("Resize, nearest", "Resize, linear", "Resize, cubic")
def resize(draw: Draw, name: str) -> Case:
    mode = name.rsplit(maxsplit=1)[-1]
    where = place(draw)
    attributes: dict[str, Any] = {"mode": mode}
    convention = chosen(draw, *_CONVENTIONS)
    if convention != "half_pixel" or draw(st.booleans()):
        attributes["coordinate_transformation_mode"] = convention
    if mode == "nearest" and draw(st.booleans()):
        attributes["nearest_mode"] = chosen(draw, *_ROUNDINGS)
    if mode == "linear" and integer(draw, 0, 9) == 9:
        attributes["antialias"] = 1
    if mode == "cubic":
        attributes |= draw(
            st.fixed_dictionaries({}, optional={"cubic_coeff_a": st.just(-0.5), "exclude_outside": st.just(1)})
        )
    return _sized(draw, attributes, where)


@operator("Resize, cropped")
def cropped(draw: Draw) -> Case:
    """As TensorFlow's crop_and_resize: of a region, whose outside is one value."""
    where = place(draw, None, integer(draw, 2, 9), integer(draw, 2, 9))
    attributes: dict[str, Any] = {"mode": chosen(draw, "linear", "nearest")}
    attributes |= {
        "coordinate_transformation_mode": "tf_crop_and_resize",
        "extrapolation_value": chosen(draw, 0.0, 0.5),
    }
    corners = [(chosen(draw, 0.0, 0.25, -0.25), chosen(draw, 1.0, 0.75, 1.25)) for _ in range(2)]
    constants: dict[str, Any] = {
        "roi": (0.0, 0.0, *(low for low, _ in corners), 1.0, 1.0, *(high for _, high in corners))
    }
    constants["sizes"] = (1, where.channels, integer(draw, 2, 12), integer(draw, 2, 12))
    return Case(line("y", "Resize", "x, roi, , sizes", **attributes), constants, where)


@operator("Resize, whole factors")
def whole(draw: Draw) -> Case:
    """What generators do: two, three or four times as large."""
    attributes = {
        "mode": chosen(draw, "nearest", "linear"),
        "coordinate_transformation_mode": chosen(draw, *_CONVENTIONS[:4]),
        "nearest_mode": chosen(draw, *_ROUNDINGS),
    }
    scales = (1.0, 1.0, float(integer(draw, 1, 4)), float(integer(draw, 1, 4)))
    return Case(line("y", "Resize", "x, , scales", **attributes), {"scales": scales}, place(draw))


@operator("Upsample, then convolution")
def upsampled(draw: Draw) -> Case:
    """Resize by two, then a convolution: the decoder of many generators."""
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    where = place(draw)
    node = line("m", "Resize", "x, , scales", **attributes)
    constants = {"scales": (1.0, 1.0, 2.0, 2.0), "w": Weights((4, where.channels, 3, 3))}
    return Case(f"{node}\ny = Conv <pads = [1, 1, 1, 1]> (m, w)", constants, where)


def _sized(draw: Draw, attributes: dict[str, Any], where: Place) -> Case:
    how = chosen(draw, "sizes", "scales", "axes", "some axes")
    if how == "sizes":
        size = (1, where.channels, integer(draw, 1, 16), integer(draw, 1, 16))
        return Case(line("y", "Resize", "x, , , sizes", **attributes), {"sizes": size}, where)
    if how == "some axes":
        axes = list(draw(st.permutations([2, 3])))[: integer(draw, 1, 2)]
        axes = [axis - 4 if draw(st.booleans()) else axis for axis in axes]
        if draw(st.booleans()):
            wanted = tuple(integer(draw, 1, 16) for _ in axes)
            policy = chosen(draw, "stretch", "not_larger", "not_smaller")
            if policy != "stretch":
                axes = [
                    axis % 4 for axis in axes
                ]  # counted from the end, onnx and onnxruntime do not agree on the shape
                attributes["keep_aspect_ratio_policy"] = policy
            return Case(line("y", "Resize", "x, , , sizes", **attributes, axes=axes), {"sizes": wanted}, where)
        lengths = [(where.height, where.width)[axis % 4 - 2] for axis in axes]
        factors = tuple(integer(draw, -(-4 // n), 14) / 4 for n in lengths)
        return Case(line("y", "Resize", "x, , scales", **attributes, axes=axes), {"scales": factors}, where)
    # Quarters are exact, so the size that they give is beyond doubt.
    quarters = [integer(draw, -(-4 // n), 14) for n in (where.height, where.width)]
    scales = tuple(q / 4 for q in quarters)
    if how == "axes":
        return Case(line("y", "Resize", "x, , scales", **attributes, axes=[2, 3]), {"scales": scales}, where)
    return Case(line("y", "Resize", "x, , scales", **attributes), {"scales": (1.0, 1.0, *scales)}, where)
