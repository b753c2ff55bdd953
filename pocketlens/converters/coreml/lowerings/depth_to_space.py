"""Between channels and pixels: DepthToSpace and SpaceToDepth."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import needs_rank


@lowering("DepthToSpace", check=lambda node: needs_rank(node, 4), needs="four axes")
def depth_to_space(builder: MILBuilder, node: ir.Node) -> Var:
    """CRD is torch's ``pixel_shuffle``, DCR is TensorFlow's ``depth_to_space``; MIL has both."""
    x, block = builder.get(node.inputs[0]), np.int32(hub.integer(node, "blocksize", 1))
    if hub.text(node, "mode", "DCR") == "CRD":
        return builder.add("pixel_shuffle", x=x, upscale_factor=block)
    return builder.add("depth_to_space", x=x, block_size=block)


@lowering("SpaceToDepth", check=lambda node: needs_rank(node, 4), needs="four axes")
def space_to_depth(builder: MILBuilder, node: ir.Node) -> Var:
    """TensorFlow's order of channels, as in ONNX."""
    block = np.int32(hub.integer(node, "blocksize", 1))
    return builder.add("space_to_depth", x=builder.get(node.inputs[0]), block_size=block)
