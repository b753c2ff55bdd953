"""Matrix products: MatMul and Gemm with a constant matrix, for styles and gates, or MatMul of two computed ones."""

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import floats, optional, rank, shape
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
    matrix, left, right = constant(node.inputs[1]), rank(node.inputs[0]), rank(node.inputs[1])
    if matrix is not None and matrix.ndim == 2 and left >= 2:
        return ""
    if not {left, right} <= {2, 3, 4}:
        return f"its sides have {left} and {right} axes, expected 2 to 4"
    leads = [shape(value)[:-2] for value in node.inputs]
    if leads[0] == leads[1] or 1 in (math.prod(leads[0]), math.prod(leads[1])):
        return ""
    return "its sides have different axes in front of the matrices"


@lowering(
    "MatMul",
    check=_check_matmul,
    needs="a constant matrix on the right; or two to four axes on each side, of which those in front are the same or"
    " belong to one side alone",
)
def matmul(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """FULLY_CONNECTED where the right side is a constant matrix, else BATCH_MATMUL."""
    matrix = floats(node, 1)
    if matrix is None or matrix.ndim != 2:
        return _batch_matmul(builder, node)
    bias = np.zeros(matrix.shape[1], np.float32)
    x, before = builder.get(node.inputs[0]), shape(node.inputs[0])
    if len(before) in (2, 3):
        return _connect(builder, x, matrix.T, bias, channel_scales(node, 1))
    rows = builder.reshape_graph(x, before, (math.prod(before[:-1]), before[-1]))
    result = _connect(builder, rows, matrix.T, bias, channel_scales(node, 1))
    return builder.reshape_graph(result, result.shape, shape(node.outputs[0]))


def _batch_matmul(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    ranks, result = {rank(value) for value in node.inputs}, shape(node.outputs[0])
    sides = []
    for value in node.inputs:
        before = shape(value)
        tensor = builder.get(value)
        if len(before) == 4 or len(ranks) > 1:  # four are stored channels last: the product wants rows and columns last
            tensor = builder.reshape_graph(tensor, before, (math.prod(before[:-2]), *before[-2:]))
        sides.append(tensor)
    batch = (max(side.shape[0] for side in sides),) if len(sides[0].shape) == 3 else ()
    product = builder.add(
        "BATCH_MATMUL", sides, (*batch, sides[0].shape[-2], sides[1].shape[-1]), adjX=False, adjY=False
    )
    return builder.reshape_graph(product, product.shape, result) if product.shape != result else product


def _connect(builder: TFLiteBuilder, x: Tensor, matrix: Floats, bias: Floats, scales: Floats | None) -> Tensor:
    inputs = [x, builder.weights(matrix, scales, 0), builder.constant(bias)]
    outputs = (*x.shape[:-1], matrix.shape[0])
    if len(x.shape) == 2:
        return builder.add("FULLY_CONNECTED", inputs, outputs)
    return builder.add("FULLY_CONNECTED", inputs, outputs, 5, keepNumDims=True)
