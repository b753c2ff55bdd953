"""Matrix products: MatMul and Gemm."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_matmul
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, needs_constants


@lowering("MatMul", check=check_matmul, needs="two or more axes on both sides")
def matmul(builder: MILBuilder, node: ir.Node) -> Var:
    """``matmul``."""
    x, y = (builder.get(value) for value in node.inputs)
    return builder.add("matmul", x=x, y=y)


def _check_gemm(node: ir.Node) -> str:
    return needs_constants(node, "its third term is", 2)


@lowering("Gemm", check=_check_gemm, needs="a constant third term")
def gemm(builder: MILBuilder, node: ir.Node) -> Var:
    """``matmul`` with transposes, then a scale and a bias where they are not 1 and 0."""
    y = builder.add(
        "matmul",
        x=builder.get(node.inputs[0]),
        y=builder.get(node.inputs[1]),
        transpose_x=bool(hub.integer(node, "transA", 0)),
        transpose_y=bool(hub.integer(node, "transB", 0)),
    )
    alpha = hub.number(node, "alpha", 1.0)
    if alpha != 1:
        y = builder.add("mul", x=y, y=np.float32(alpha))
    bias = floats(node, 2)
    if bias is not None:
        scaled = np.asarray(bias * np.float32(hub.number(node, "beta", 1.0)), np.float32)
        y = builder.add("add", x=y, y=scaled.reshape((1,) * (2 - scaled.ndim) + scaled.shape))
    return y
