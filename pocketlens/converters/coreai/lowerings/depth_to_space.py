"""Between channels and pixels: DepthToSpace and SpaceToDepth, made of reshapes and a transpose of six axes."""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, unsigned
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import needs_rank, shape


@lowering("DepthToSpace", check=lambda node: needs_rank(node, 4), needs="four axes")
def depth_to_space(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """CRD takes channel, row, column from the channels' axis in this order, DCR row, column, channel."""
    batch, channels, height, width = shape(node.inputs[0])
    block = hub.integer(node, "blocksize", 1)
    left = channels // block**2
    is_crd = hub.text(node, "mode", "DCR") == "CRD"
    split = (left, block, block) if is_crd else (block, block, left)
    x = builder.reshape(builder.get(node.inputs[0]), (batch, *split, height, width))
    x = builder.ops.transpose(x, unsigned((0, 1, 4, 2, 5, 3) if is_crd else (0, 3, 4, 1, 5, 2)))
    return builder.reshape(x, shape(node.outputs[0]))


@lowering("SpaceToDepth", check=lambda node: needs_rank(node, 4), needs="four axes")
def space_to_depth(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """TensorFlow's order of channels, as in ONNX: row, column, channel."""
    batch, channels, height, width = shape(node.inputs[0])
    block = hub.integer(node, "blocksize", 1)
    split = (batch, channels, height // block, block, width // block, block)
    x = builder.ops.transpose(builder.reshape(builder.get(node.inputs[0]), split), unsigned((0, 3, 5, 1, 2, 4)))
    return builder.reshape(x, shape(node.outputs[0]))
