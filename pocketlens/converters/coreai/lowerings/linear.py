"""Matrix products: MatMul and Gemm."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_matmul
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, unsigned
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import floats, needs_constants, rank


@lowering("MatMul", check=check_matmul, needs="two or more axes on both sides")
def matmul(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``broadcasting_batch_matmul``."""
    x, y = (builder.operand(value, rank(node.outputs[0])) for value in node.inputs)
    return builder.ops.broadcasting_batch_matmul(x, y)


@lowering("Gemm", check=lambda node: needs_constants(node, "its third term is", 2), needs="a constant third term")
def gemm(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``batch_matmul`` with transposes, then a scale and a bias where they are not 1 and 0."""
    x, y = (
        builder.ops.transpose(builder.get(value), unsigned((1, 0))) if hub.integer(node, turned, 0)
        else builder.get(value)
        for value, turned in zip(node.inputs[:2], ("transA", "transB"), strict=True)
    )  # fmt: skip
    product = builder.ops.batch_matmul(x, y)
    alpha = hub.number(node, "alpha", 1.0)
    if alpha != 1:
        product = builder.ops.broadcasting_mul(product, builder.scalar(alpha, 2))
    bias = floats(node, 2)
    if bias is None:
        return product
    scaled = np.atleast_2d(bias * hub.number(node, "beta", 1.0))
    return builder.ops.broadcasting_add(product, builder.floats(scaled))
