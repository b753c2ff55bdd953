"""Convolutions."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_convolution
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats
from pocketlens.converters.windows import SpatialWindow, conv_window


def shared_inputs(node: ir.Node, window: SpatialWindow) -> dict[str, object]:
    """The inputs that ``conv`` and ``conv_transpose`` share."""
    weight = floats(node, 1)
    assert weight is not None
    inputs: dict[str, object] = {
        "weight": weight,
        "strides": vector(window.strides),
        "dilations": vector(window.dilations),
        "groups": np.int32(hub.integer(node, "group", 1)),
    }
    bias = floats(node, 2)
    if bias is not None:
        inputs["bias"] = bias
    return inputs


def padding(top: int, left: int, bottom: int, right: int) -> dict[str, object]:
    """The inputs that say how much is padded."""
    if (top, left, bottom, right) == (0, 0, 0, 0):
        return {"pad_type": "valid"}
    return {"pad_type": "custom", "pad": vector([top, bottom, left, right])}


@lowering("Conv", check=check_convolution, needs="two spatial axes, constant weights")
def conv(builder: MILBuilder, node: ir.Node) -> Var:
    """``conv`` with explicit pads: stride, dilation, groups and asymmetric padding are the same in both."""
    window = conv_window(node)
    return builder.add("conv", x=builder.get(node.inputs[0]), **shared_inputs(node, window), **padding(*window.pads))
