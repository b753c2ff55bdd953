"""Between channels and pixels: DepthToSpace and SpaceToDepth."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import needs_rank
from pocketlens.converters.tflite.builder import Operator, Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_KERNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 0, "FULLY_CONNECTED": 0}
"""The axis of the filter that counts output channels."""

_KERNEL_INPUT = {"TRANSPOSE_CONV": (1, 3)}
_CHANNELWISE = ("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "ELU", "TANH", "LOGISTIC", "HARD_SWISH", "GELU", "ABS")
"""Functions of one value: the order of the channels does not matter to them."""


@lowering("SpaceToDepth")
def space_to_depth(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Both put the block's position first and the channel second."""
    x = builder.get(node.inputs[0])
    block = hub.integer(node, "blocksize", 1)
    batch, height, width, channels = x.shape
    shape = (batch, height // block, width // block, channels * block * block)
    return builder.add("SPACE_TO_DEPTH", [x], shape, blockSize=block)


@lowering("DepthToSpace", check=lambda node: needs_rank(node, 4), needs="four axes")
def depth_to_space(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """TFLite's channel order is ONNX's ``DCR``. For torch's ``CRD`` the channels are put in that order first."""
    x = builder.get(node.inputs[0])
    block = hub.integer(node, "blocksize", 1)
    batch, height, width, channels = x.shape
    if hub.text(node, "mode", "DCR") == "CRD":
        # CRD: channel = c * block² + position. DCR: channel = position * channels_out + c.
        order = np.arange(channels).reshape(-1, block * block).T.reshape(-1)
        x = _reorder(builder, node, x, order)
    shape = (batch, height * block, width * block, channels // (block * block))
    return builder.add("DEPTH_TO_SPACE", [x], shape, blockSize=block)


def _reorder(builder: TFLiteBuilder, node: ir.Node, x: Tensor, order: NDArray[np.int64]) -> Tensor:
    """Reorder channels: in the weights of the convolution that computes them, else by a 1 x 1 convolution."""
    conv = _reorderable_convolution(builder, node.inputs[0], x)
    if conv is None:
        channels = len(order)
        filters = np.eye(channels, dtype=np.float32)[order].reshape(channels, 1, 1, channels)
        zeros = np.zeros(channels, np.float32)
        return builder.add(
            "CONV_2D", [x, builder.constant(filters), builder.constant(zeros)], x.shape, padding=1, strideH=1, strideW=1
        )
    kernel, bias = _KERNEL_INPUT.get(conv.code, (1, 2))
    for index, axis in ((kernel, _KERNEL_AXIS[conv.code]), (bias, 0)):
        data = conv.inputs[index].data
        assert data is not None
        conv.inputs[index] = builder.constant(np.take(data, order, axis))
    return x


def _reorderable_convolution(builder: TFLiteBuilder, value: ir.Value | None, tensor: Tensor) -> Operator | None:
    """The convolution whose output channels may be reordered because nothing else reads them."""
    while value is not None and len(value.uses()) == 1 and not value.is_graph_output():
        producer, node = builder.producer(tensor), value.producer()
        if producer is None or node is None:
            return None
        if producer.code == "DEPTHWISE_CONV_2D" or (producer.code == "CONV_2D" and producer.version == 6):
            return None  # its output channels belong to input channels
        if producer.code in _KERNEL_AXIS:
            return producer
        if producer.code not in _CHANNELWISE or builder.get(node.inputs[0]) is not producer.inputs[0]:
            return None
        value, tensor = node.inputs[0], producer.inputs[0]
    return None
