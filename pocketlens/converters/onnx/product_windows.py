"""How a convolution reads an axis, in the words of a product of matrices: positions, taps, and phases of outputs."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub


@dataclass(frozen=True)
class AxisWindow:
    """What positions along an axis read.

    Attributes:
        before: Zeros in front of the picture; ``after`` likewise behind it.
        taps: How many pixels a position reads.
        stride: From one position's first pixel to the next one's.
        dilation: From one tap to the next.
        count: How many positions there are.
        length: Of the picture, without zeros.
        phases: How many outputs lie at a position: 1, or the stride of a transposed convolution.
        shift: Of a transposed convolution, the row of the kernel that the first phase reads last.
    """

    before: int
    after: int
    taps: int
    stride: int
    dilation: int
    count: int
    length: int = 0
    phases: int = 1
    shift: int = 0

    @property
    def reach(self) -> int:
        """From the first pixel that a position reads to the last, in pixels."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def is_plain(self) -> bool:
        """Whether positions and taps are one pixel apart."""
        return self.stride == self.dilation == self.phases == 1


def conv_axis(
    node: ir.Node, axis: int, kernel: int, before: tuple[int, ...], after: tuple[int, ...]
) -> AxisWindow | None:
    """How a Conv reads rows (axis 0) or columns (1); None where it cuts the picture instead of padding it."""
    pads = hub.ints(node, "pads", (0, 0, 0, 0))
    stride, dilation = (hub.ints(node, name, (1, 1))[axis] for name in ("strides", "dilations"))
    if min(pads) < 0:
        return None
    return AxisWindow(pads[axis], pads[axis + 2], kernel, stride, dilation, after[axis + 2], before[axis + 2])


def transposed_axis(
    node: ir.Node, axis: int, kernel: int, before: tuple[int, ...], after: tuple[int, ...]
) -> AxisWindow | None:
    """How a ConvTranspose reads rows or columns; None where its outputs do not come in whole groups of a stride.

    Output ``stride * q + r`` takes input ``q - d`` by the kernel's row ``stride * d + r + pad``. So all outputs of a
    position ``q`` read the same few inputs, and are phases ``r`` of it.
    """
    pad, length, out = hub.ints(node, "pads", (0, 0, 0, 0))[axis], before[axis + 2], after[axis + 2]
    stride = hub.ints(node, "strides", (1, 1))[axis]
    if hub.ints(node, "dilations", (1, 1))[axis] != 1 or out % stride or pad < 0:
        return None
    most, least = (kernel - 1 - pad) // stride, -((pad + stride - 1) // stride)
    taps, count = most - least + 1, out // stride
    if most < 0:
        return None
    after_last = count - 1 - least - (length - 1)
    if after_last < 0:  # what lies behind is read by no output
        return None
    return AxisWindow(most, after_last, taps, 1, 1, count, length, stride, stride * most + pad)


def spread_kernel(taps: NDArray[np.int8], rows: AxisWindow, columns: AxisWindow) -> NDArray[np.int8]:
    """A kernel with the weights of every phase: from ``[height, width, in, out]`` to ``[taps down, taps across, in,
    phases of rows, phases of columns, out]``.
    """
    whole = np.zeros((rows.taps, columns.taps, taps.shape[2], rows.phases, columns.phases, taps.shape[3]), np.int8)
    for row in range(rows.taps):
        for column in range(columns.taps):
            for down in range(rows.phases):
                for across in range(columns.phases):
                    i, j = _source(rows, row, down), _source(columns, column, across)
                    if 0 <= i < taps.shape[0] and 0 <= j < taps.shape[1]:
                        whole[row, column, :, down, across] = taps[i, j]
    return whole


def _source(window: AxisWindow, tap: int, phase: int) -> int:
    """The kernel's row that a tap has in a phase; of a plain convolution the tap itself."""
    return tap if window.phases == 1 and not window.shift else window.shift - window.phases * tap + phase
