"""Convolutions: full, depthwise and grouped."""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.lowerings.window import Window, place, windows
from pocketlens.converters.tflite.registry import lowers
from pocketlens.converters.weight_quantization.quantized_weights import AffineQuantizedWeights, quantized_weights_of

Kernel = NDArray[np.float32]


@lowers("Conv", needs="two spatial axes, constant weights, no negative pads")
def conv(draft: Draft, node: ir.Node) -> Tensor:
    """CONV_2D or DEPTHWISE_CONV_2D."""
    kernel, bias = weights(draft, node)
    rows, columns = windows(node, kernel.shape[2:])
    dilations = hub.ints(node, "dilations", (1, 1))
    groups = hub.integer(node, "group", 1)
    x = draft.of(node.inputs[0])
    return convolve(draft, x, kernel, bias, rows, columns, groups, dilations, scales(node, 0))


def convolve(
    draft: Draft,
    x: Tensor,
    kernel: Kernel,
    bias: Tensor,
    rows: Window,
    columns: Window,
    groups: int = 1,
    dilations: tuple[int, ...] = (1, 1),
    steps: NDArray[np.float32] | None = None,
) -> Tensor:
    """Add a convolution.

    Args:
        draft: Where to.
        x: The picture.
        kernel: In the graph's order, ``[out, in / groups, height, width]``.
        bias: One number an output channel. Never left out: without it XNNPACK takes no convolution.
        rows: The vertical window.
        columns: The horizontal window.
        groups: Equal to the input's channels for a depthwise convolution.
        dilations: Vertical and horizontal.
        steps: Of each output channel, where the kernel is coded in 8 bits.
    """
    x, padding = place(draft, x, rows, columns)
    settings: dict[str, Any] = {
        "padding": padding,
        "strideH": rows.stride,
        "strideW": columns.stride,
        "dilationHFactor": dilations[0],
        "dilationWFactor": dilations[1],
    }
    shape = (x.shape[0], rows.out, columns.out, kernel.shape[0])
    if groups > 1 and groups == x.shape[3]:
        # ONNX orders the outputs of a depthwise convolution by channel, then by multiple: TFLite does as well.
        filters = draft.weights(kernel.transpose(1, 2, 3, 0), steps, 3)
        settings["depthMultiplier"] = kernel.shape[0] // groups
        return draft.add("DEPTHWISE_CONV_2D", [x, filters, bias], shape, 1 if dilations == (1, 1) else 2, **settings)
    # The schema has no field for groups: TFLite takes them from the filter's depth.
    filters = draft.weights(kernel.transpose(0, 2, 3, 1), steps, 0)
    return draft.add("CONV_2D", [x, filters, bias], shape, 1 if groups == 1 else 6, **settings)


def weights(draft: Draft, node: ir.Node) -> tuple[Kernel, Tensor]:
    """The kernel of a convolution in the graph's order, and its bias, zeros if it has none.

    Raises:
        Refused: They are computed, or the convolution is not over two axes.
    """
    kernel = constant(node.inputs[1])
    given = node.inputs[2] if len(node.inputs) > 2 else None
    bias = constant(given)
    if kernel is None or (given is not None and bias is None):
        raise Refused("its weights are computed, not constant")
    if kernel.ndim != 4:
        raise Refused(f"its kernel has rank {kernel.ndim}, expected 4")
    if bias is None:
        bias = np.zeros(hub.static_shape(node.outputs[0])[1], np.float32)
    return kernel.astype(np.float32, copy=False), draft.constant(bias.reshape(-1))


def scales(node: ir.Node, axis: int) -> NDArray[np.float32] | None:
    """What one step of a node's 8-bit weights is worth, for each channel of an axis; None if they are not coded so."""
    coding = quantized_weights_of(node.inputs[1])
    return coding.scales if isinstance(coding, AffineQuantizedWeights) and coding.axis == axis else None
