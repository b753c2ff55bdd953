"""Matrix products."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.coreml.registry import (
    Scope,
    Var,
    floats,
    lowering,
    rank,
)


def _check_matmul(node: ir.Node) -> str:
    if min(rank(node.inputs[0]), rank(node.inputs[1])) < 2:
        return "one of its inputs has one axis, and both have to have two or more"
    return ""


@lowering("MatMul", check=_check_matmul, needs="two or more axes on both sides")
def matmul(scope: Scope, node: ir.Node) -> Var:
    """``matmul``."""
    x, y = (scope.get(value) for value in node.inputs)
    return scope.op("matmul", x=x, y=y)


def _check_gemm(node: ir.Node) -> str:
    if len(node.inputs) > 2 and node.inputs[2] is not None and constant(node.inputs[2]) is None:
        return "its third input is computed, and has to be constant"
    return ""


@lowering("Gemm", check=_check_gemm, needs="a constant third term")
def gemm(scope: Scope, node: ir.Node) -> Var:
    """``matmul`` with transposes, then a scale and a bias where they are not 1 and 0."""
    y = scope.op(
        "matmul",
        x=scope.get(node.inputs[0]),
        y=scope.get(node.inputs[1]),
        transpose_x=bool(hub.integer(node, "transA", 0)),
        transpose_y=bool(hub.integer(node, "transB", 0)),
    )
    alpha = hub.number(node, "alpha", 1.0)
    if alpha != 1:
        y = scope.op("mul", x=y, y=np.float32(alpha))
    bias = floats(node, 2)
    if bias is not None:
        scaled = np.asarray(bias * np.float32(hub.number(node, "beta", 1.0)), np.float32)
        y = scope.op("add", x=y, y=scaled.reshape((1,) * (2 - scaled.ndim) + scaled.shape))
    return y
