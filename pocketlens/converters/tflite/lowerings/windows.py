"""Where a sliding window starts and ends: ONNX's pads against TFLite's SAME and VALID, one axis at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import needs_rank, shape
from pocketlens.converters.tflite.builder import SAME, VALID, Tensor, TFLiteBuilder


@dataclass(frozen=True)
class AxisWindow:
    """A window of a convolution or pooling along one axis.

    Attributes:
        length: Values along the axis.
        out: Positions of the window.
        kernel: Its extent, dilation included.
        stride: Values from one position to the next.
        before: Padding that the graph asks for at the start.
        after: Padding that the graph asks for at the end.
    """

    length: int
    out: int
    kernel: int
    stride: int
    before: int
    after: int

    @property
    def reach(self) -> int:
        """Values that the window reads past the end: the used part of ``after``. Negative: some are not read."""
        return (self.out - 1) * self.stride + self.kernel - self.length - self.before

    @property
    def is_valid(self) -> bool:
        """Whether TFLite's VALID is this window: no padding anywhere."""
        return self.before == 0 and self.reach <= 0

    @property
    def is_same(self) -> bool:
        """Whether TFLite's SAME is this window: ``ceil(length / stride)`` positions, the odd pad at the end."""
        total = max((self.out - 1) * self.stride + self.kernel - self.length, 0)
        return self.out == -(-self.length // self.stride) and self.before == total // 2


def check_windows(node: ir.Node) -> str:
    """A reason if a convolution or pooling is not over two axes, or has negative pads."""
    if reason := needs_rank(node, 4):
        return reason
    pads = hub.ints(node, "pads", (0, 0, 0, 0))
    is_explicit = hub.text(node, "auto_pad", "NOTSET") == "NOTSET"
    return f"negative pads {list(pads)}" if is_explicit and min(pads) < 0 else ""


def windows(node: ir.Node, kernel: Sequence[int]) -> tuple[AxisWindow, AxisWindow]:
    """The vertical and horizontal window of a convolution or pooling node."""
    size, out = shape(node.inputs[0]), shape(node.outputs[0])
    strides, dilations = hub.ints(node, "strides", (1, 1)), hub.ints(node, "dilations", (1, 1))
    pads = hub.ints(node, "pads", (0, 0, 0, 0))
    auto_pad = hub.text(node, "auto_pad", "NOTSET")
    axes = []
    for i in range(2):
        extent = (kernel[i] - 1) * dilations[i] + 1
        before, after = pads[i], pads[i + 2]
        if auto_pad != "NOTSET":
            total = max((out[i + 2] - 1) * strides[i] + extent - size[i + 2], 0) if auto_pad.startswith("SAME") else 0
            small, large = total // 2, total - total // 2
            before, after = (large, small) if auto_pad == "SAME_LOWER" else (small, large)
        axes.append(AxisWindow(size[i + 2], out[i + 2], extent, strides[i], before, after))
    return axes[0], axes[1]


def pad_for(builder: TFLiteBuilder, x: Tensor, rows: AxisWindow, columns: AxisWindow) -> tuple[Tensor, int]:
    """Choose TFLite's padding for two windows.

    Returns:
        The tensor to slide over, and ``SAME`` or ``VALID``. Where neither is the graph's padding, zeros are put around
        first: XNNPACK folds a PAD into the convolution that reads it, so this costs nothing there.
    """
    if rows.is_valid and columns.is_valid:
        return x, VALID
    if rows.is_same and columns.is_same:
        return x, SAME
    around = [(0, 0), *((w.before, max(w.reach, 0)) for w in (rows, columns)), (0, 0)]
    return builder.pad_zeros(x, around), VALID
