"""How a picture is padded before a kernel moves over it."""

from pocketlens.runtimes.mil.rules.registry import Inputs


def padding(
    inputs: Inputs, lengths: list[int], kernel: list[int], strides: list[int], dilations: list[int]
) -> list[tuple[int, int]]:
    """Rows before and after, of each axis, by ``pad_type``.

    ``same`` makes ``ceil(length / stride)`` outputs and puts the odd row after, ``same_lower`` before.

    Raises:
        ValueError: The type is not known.
    """
    kind = inputs.text("pad_type", "valid").lower()
    if kind == "valid":
        return [(0, 0)] * len(lengths)
    if kind == "custom":
        pads = inputs.ints("pad")
        return list(zip(pads[::2], pads[1::2], strict=True))
    if kind not in ("same", "same_lower"):
        raise ValueError(f"pad_type {kind!r} is not known")
    pads_by_axis = []
    for length, taps, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + (taps - 1) * dilation + 1 - length)
        small = total // 2
        pads_by_axis.append((small, total - small) if kind == "same" else (total - small, small))
    return pads_by_axis
