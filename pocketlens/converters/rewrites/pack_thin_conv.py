"""A large convolution to few channels computes blocks of pixels at once."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.conv_window import ConvWindow, conv_window, repeat_bias
from pocketlens.converters.rewrites.passes import NodePass

MAX_OUTPUT_CHANNELS = 4
"""Most output channels of a convolution that is thin: runtimes compute 8 or 16 at once, and throw the rest away."""

MIN_KERNEL = 7
"""Least kernel, in pixels, for which the zeros that blocks add cost less than what they save: 8 x 8 for 7 x 7 is 1.3
times the products."""

_BLOCK = 2


class PackThinConv(NodePass):
    """Compute a Conv with a large kernel and few outputs a block of 2 x 2 pixels at a time: Conv of stride 2,
    DepthToSpace.

    Exact: output ``Y = 2q + r`` reads inputs ``2q + r + t - pad``. For each of the two places r in a block these lie in
    the window of ``kernel + 1`` pixels that starts at ``2q - pad``, so a convolution of stride 2 with that window and
    an output channel for each place computes the block; the weights stand r pixels from its start, and the pixel more
    is zero. The pads stay what they were. A 9 x 9 kernel to 3 channels becomes 10 x 10 to 12: 1.2 times the products,
    on channels that are computed anyway.

    The pass needs one group, constant weights, stride 1, at most :data:`MAX_OUTPUT_CHANNELS` output channels, a kernel
    of at least :data:`MIN_KERNEL` pixels both ways, and an even output; an odd one is left alone.
    """

    operators = ("Conv",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        window = conv_window(node, "Conv")
        if window is None or not _is_thin(window):
            return False
        _rewrite(model, node, window)
        return True


def _spans(window: ConvWindow) -> tuple[int, ...]:
    return tuple((taps - 1) * step + 1 for taps, step in zip(window.taps, window.dilations, strict=True))


def _is_thin(window: ConvWindow) -> bool:
    even = not any(length % _BLOCK for length in window.out[2:])
    return (
        even and window.out[1] <= MAX_OUTPUT_CHANNELS and window.strides == (1, 1) and min(_spans(window)) >= MIN_KERNEL
    )


def _rewrite(model: ir.Model, node: ir.Node, window: ConvWindow) -> None:
    editor = edit.Editor(model, node)
    out, depth = window.weight.shape[:2]
    rows, columns = _spans(window)
    down, across = window.dilations
    places = np.zeros((out, _BLOCK, _BLOCK, depth, rows + 1, columns + 1), np.float32)
    for r in range(_BLOCK):
        for c in range(_BLOCK):
            places[:, r, c, :, r : r + rows : down, c : c + columns : across] = window.weight
    weight = places.reshape(out * _BLOCK**2, depth, rows + 1, columns + 1)
    shape = (window.out[0], weight.shape[0], window.out[2] // _BLOCK, window.out[3] // _BLOCK)
    attributes = [ir.AttrInt64s("pads", window.pads), ir.AttrInt64s("strides", (_BLOCK, _BLOCK))]
    inputs = [window.x, editor.constant(weight, "weight"), *repeat_bias(editor, window.bias, _BLOCK**2)]
    packed = editor.add("Conv", inputs, shape, attributes)
    edit.replace(node.outputs[0], packing.unpack(editor, packed, _BLOCK, window.out))
