"""QuantizeLinear and DequantizeLinear of computed values; weights are in ``coreai/weights.py``."""

from typing import Any

import numpy as np
import onnx_ir as ir

from pocketlens.converters.checks import check_quantizer, zero_point
from pocketlens.converters.constants import constant
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.coreai.weights import dtype_of_scales
from pocketlens.converters.lowering import rank


def _parameters(builder: CoreAIBuilder, node: ir.Node) -> tuple[type[np.floating[Any]], list[Var]]:
    """The type of the float side, and scale, zero point, offset, and every axis: one scale for all."""
    scale = constant(node.inputs[1])
    assert scale is not None
    dtype = dtype_of_scales(scale, builder.dtype)
    return dtype, [
        builder.floats(scale.reshape(()), np.float32),
        builder.constants.array(zero_point(node)),
        builder.floats(0.0, dtype),
        builder.constants.array(signed(range(rank(node.inputs[0])))),
    ]


@lowering("QuantizeLinear", check=check_quantizer, needs="one constant scale, int8 or uint8")
def quantize(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``quantize``."""
    dtype, parameters = _parameters(builder, node)
    x = builder.get(node.inputs[0])
    return builder.ops.quantize(x if dtype is builder.dtype else builder.in_float32(x), *parameters)


@lowering("DequantizeLinear", check=check_quantizer, needs="one constant scale, int8 or uint8")
def dequantize(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``dequantize``."""
    dtype, parameters = _parameters(builder, node)
    x = builder.ops.dequantize(builder.get(node.inputs[0]), *parameters)
    return x if dtype is builder.dtype else builder.from_float32(x)
