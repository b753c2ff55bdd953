"""Windows of convolutions and pools: strides, dilations and explicit pads, whatever way a node gives them."""

from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import shape


@dataclass(frozen=True)
class SpatialWindow:
    """How a kernel moves over height and width.

    Attributes:
        kernel: Height and width of the kernel.
        strides: Down and right.
        dilations: Down and right.
        pads: Top, left, bottom, right, as ONNX orders them.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width that the dilated kernel spans."""
        return (
            (self.kernel[0] - 1) * self.dilations[0] + 1,
            (self.kernel[1] - 1) * self.dilations[1] + 1,
        )


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    down, right = values
    return down, right


def _split(total: int, more_at_start: bool) -> tuple[int, int]:
    small = total // 2
    return (total - small, small) if more_at_start else (small, total - small)


def _window(node: ir.Node, kernel: tuple[int, int]) -> SpatialWindow:
    strides = _pair(hub.ints(node, "strides", (1, 1)))
    dilations = _pair(hub.ints(node, "dilations", (1, 1)))
    top, left, bottom, right = hub.ints(node, "pads", (0, 0, 0, 0))
    return SpatialWindow(kernel, strides, dilations, (top, left, bottom, right))


def _resolve_auto_pad(node: ir.Node, window: SpatialWindow) -> SpatialWindow:
    """``auto_pad`` made explicit: SAME_UPPER puts the odd row after, SAME_LOWER before."""
    mode = hub.text(node, "auto_pad", "NOTSET")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return (
            window if mode == "NOTSET" else SpatialWindow(window.kernel, window.strides, window.dilations, (0, 0, 0, 0))
        )
    sides = []
    for length, reach, stride in zip(shape(node.inputs[0])[2:], window.reach, window.strides, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + reach - length)
        sides.append(_split(total, mode == "SAME_LOWER"))
    (top, bottom), (left, right) = sides
    return SpatialWindow(window.kernel, window.strides, window.dilations, (top, left, bottom, right))


def pool_window(node: ir.Node) -> SpatialWindow:
    """The window of AveragePool or MaxPool."""
    return _resolve_auto_pad(node, _window(node, _pair(hub.ints(node, "kernel_shape", (1, 1)))))


def conv_window(node: ir.Node) -> SpatialWindow:
    """The window of Conv or ConvTranspose; the pads of the latter are read by :func:`transposed_crop`."""
    window = _window(node, _pair(shape(node.inputs[1])[2:]))
    return window if node.op_type == "ConvTranspose" else _resolve_auto_pad(node, window)


def transposed_crop(node: ir.Node, window: SpatialWindow) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns to cut off a transposed convolution's full output.

    Returns:
        (top, left) and (bottom, right); negative at the end where output padding goes past the full output.
    """
    mode = hub.text(node, "auto_pad", "NOTSET")
    automatic = mode in ("SAME_UPPER", "SAME_LOWER") or "output_shape" in node.attributes
    top, left, bottom, right = (0, 0, 0, 0) if mode == "VALID" else window.pads
    begin, end = [top, left], [bottom, right]
    lengths, outputs = shape(node.inputs[0])[2:], shape(node.outputs[0])[2:]
    for axis in range(2):
        full = (lengths[axis] - 1) * window.strides[axis] + window.reach[axis]
        if automatic:
            # The specification: SAME_UPPER cuts the odd row at the end, everything else at the start.
            padding = hub.ints(node, "output_padding", (0, 0))[axis]
            begin[axis], _ = _split(max(0, full + padding - outputs[axis]), mode != "SAME_UPPER")
        # What is not cut at the start and not in the output is cut at the end; output padding is in the output.
        end[axis] = full - begin[axis] - outputs[axis]
    return (begin[0], begin[1]), (end[0], end[1])
