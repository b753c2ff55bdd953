"""Reading what a convolution does from its node."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit


@dataclass(frozen=True)
class ConvWindow:
    """A Conv or ConvTranspose over two axes with one group, constant weights and explicit pads.

    Attributes:
        x: The picture that it reads.
        weight: ``float32 [out, in, height, width]``, for both kinds.
        bias: Its third input, or None.
        strides: Vertical and horizontal; likewise ``dilations``.
        pads: Zeros before the first row and column, then after the last; a transposed convolution cuts as many off.
        sizes: Height and width of the input.
        out: Shape of the output.
    """

    x: ir.Value
    weight: NDArray[np.generic]
    bias: ir.Value | None
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    sizes: tuple[int, int]
    out: tuple[int, ...]

    @property
    def taps(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return self.weight.shape[2], self.weight.shape[3]


def conv_window(node: ir.Node, operator: str) -> ConvWindow | None:
    """What a node of this operator does; None if it is another, or says something else than :class:`ConvWindow` can
    hold.
    """
    if node.op_type != operator or node.domain or hub.integer(node, "group", 1) != 1:
        return None
    weight = constant(node.inputs[1])
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    x, before, out = node.inputs[0], edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
    if x is None or weight is None or weight.ndim != 4 or before is None or out is None:
        return None
    if (bias is not None and constant(bias) is None) or "output_shape" in node.attributes:
        return None
    if hub.text(node, "auto_pad", "NOTSET") != "NOTSET":
        return None
    return ConvWindow(
        x,
        weight.swapaxes(0, 1) if operator == "ConvTranspose" else weight,
        bias,
        hub.ints(node, "strides", (1, 1)),
        hub.ints(node, "dilations", (1, 1)),
        hub.ints(node, "pads", (0, 0, 0, 0)),
        (before[2], before[3]),
        out,
    )


def repeat_bias(editor: edit.Editor, bias: ir.Value | None, places: int) -> list[ir.Value]:
    """The bias repeated for every place of a block, as the end of a Conv's inputs; nothing if there is none."""
    array = constant(bias)
    return [] if array is None else [editor.constant(np.repeat(array, places), "bias")]
