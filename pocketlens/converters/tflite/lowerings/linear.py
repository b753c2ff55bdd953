"""Matrix products, MatMul and Gemm, with a constant matrix: for styles and gates on ``[N, features]``."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import floats, optional, rank
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering
from pocketlens.converters.tflite.weights import channel_scales

Floats = NDArray[np.float32]


def _check_gemm(node: ir.Node) -> str:
    matrix, term = constant(node.inputs[1]), constant(optional(node, 2))
    if matrix is None or hub.integer(node, "transA", 0):
        return "its second matrix is computed, or its first one transposed"
    outputs = matrix.shape[0 if hub.integer(node, "transB", 0) else 1]
    if optional(node, 2) is not None and (term is None or term.size not in (1, outputs)):
        return "its third term is not one constant number an output"
    return ""


@lowering(
    "Gemm",
    check=_check_gemm,
    needs="a constant second matrix, the first not transposed; a constant third term, one number an output",
)
def gemm(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """FULLY_CONNECTED; ``alpha`` and ``beta`` go into the weights."""
    matrix, term = floats(node, 1), floats(node, 2)
    assert matrix is not None
    alpha, beta = (np.float32(hub.number(node, name, 1.0)) for name in ("alpha", "beta"))
    is_transposed = bool(hub.integer(node, "transB", 0))
    matrix = (matrix if is_transposed else matrix.T) * alpha
    outputs = matrix.shape[0]
    bias: Floats = np.zeros(outputs, np.float32)
    if term is not None:
        bias = np.broadcast_to(term.reshape(-1), (outputs,)) * beta
    scales = channel_scales(node, 0 if is_transposed else 1)
    return _connect(builder, builder.get(node.inputs[0]), matrix, bias, None if scales is None else scales * alpha)


def _check_matmul(node: ir.Node) -> str:
    matrix = constant(node.inputs[1])
    if matrix is None or matrix.ndim != 2:
        return "its right side is not a constant matrix"
    left = rank(node.inputs[0])
    return "" if left in (2, 3) else f"its left side has rank {left}, expected 2 or 3"


@lowering("MatMul", check=_check_matmul, needs="a constant matrix on the right; two or three axes on the left")
def matmul(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """FULLY_CONNECTED where the right side is a constant matrix."""
    matrix = floats(node, 1)
    assert matrix is not None
    bias = np.zeros(matrix.shape[1], np.float32)
    return _connect(builder, builder.get(node.inputs[0]), matrix.T, bias, channel_scales(node, 1))


def _connect(builder: TFLiteBuilder, x: Tensor, matrix: Floats, bias: Floats, scales: Floats | None) -> Tensor:
    inputs = [x, builder.weights(matrix, scales, 0), builder.constant(bias)]
    shape = (*x.shape[:-1], matrix.shape[0])
    if len(x.shape) == 2:
        return builder.add("FULLY_CONNECTED", inputs, shape)
    return builder.add("FULLY_CONNECTED", inputs, shape, 5, keepNumDims=True)
