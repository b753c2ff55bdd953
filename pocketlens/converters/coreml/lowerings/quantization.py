"""QuantizeLinear and DequantizeLinear of computed values, iOS 17 and up; weights are in ``coreml/weights.py``."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.checks import check_quantizer, zero_point
from pocketlens.converters.constants import constant
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering


def _shared_inputs(builder: MILBuilder, node: ir.Node) -> dict[str, object]:
    scale = constant(node.inputs[1])
    assert scale is not None
    return {
        "input": builder.get(node.inputs[0]),
        "scale": np.float32(scale.reshape(())),
        "zero_point": zero_point(node)[()],
    }


@lowering("QuantizeLinear", check=check_quantizer, needs="one constant scale, int8 or uint8")
def quantize(builder: MILBuilder, node: ir.Node) -> Var:
    """``quantize``."""
    return builder.add("quantize", output_dtype=zero_point(node).dtype.name, **_shared_inputs(builder, node))


@lowering("DequantizeLinear", check=check_quantizer, needs="one constant scale, int8 or uint8")
def dequantize(builder: MILBuilder, node: ir.Node) -> Var:
    """``dequantize``."""
    return builder.add("dequantize", **_shared_inputs(builder, node))
