"""Matrix products with a constant matrix, for styles and gates on ``[N, features]``."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.lowerings.conv import scales
from pocketlens.converters.tflite.registry import lowers

Floats = NDArray[np.float32]


@lowers("Gemm", needs="a constant second matrix, the first not transposed; a constant third term, one number an output")
def gemm(draft: Draft, node: ir.Node) -> Tensor:
    """FULLY_CONNECTED; ``alpha`` and ``beta`` go into the weights."""
    given_matrix = constant(node.inputs[1])
    if given_matrix is None or hub.integer(node, "transA", 0):
        raise Refused("its second matrix is computed, or its first one transposed")
    matrix = given_matrix.astype(np.float32) * np.float32(hub.number(node, "alpha", 1.0))
    if not hub.integer(node, "transB", 0):
        matrix = matrix.T
    outputs = matrix.shape[0]
    bias: Floats = np.zeros(outputs, np.float32)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        given = constant(node.inputs[2])
        if given is None or given.size not in (1, outputs):
            raise Refused("its third term is not one constant number an output")
        beta = np.float32(hub.number(node, "beta", 1.0))
        bias = np.broadcast_to(given.astype(np.float32).reshape(-1), (outputs,)) * beta
    coded = scales(node, 0 if hub.integer(node, "transB", 0) else 1)
    steps = None if coded is None else coded * np.float32(hub.number(node, "alpha", 1.0))
    return _connect(draft, draft.of(node.inputs[0]), matrix, bias, steps)


@lowers("MatMul", needs="a constant matrix on the right; two or three axes on the left")
def matmul(draft: Draft, node: ir.Node) -> Tensor:
    """FULLY_CONNECTED where the right side is a constant matrix."""
    matrix = constant(node.inputs[1])
    if matrix is None or matrix.ndim != 2:
        raise Refused("its right side is not a constant matrix")
    x = draft.of(node.inputs[0])
    if len(x.shape) not in (2, 3):
        raise Refused(f"its left side has rank {len(x.shape)}, expected 2 or 3")
    return _connect(draft, x, matrix.T.astype(np.float32), np.zeros(matrix.shape[1], np.float32), scales(node, 1))


def _connect(draft: Draft, x: Tensor, matrix: Floats, bias: Floats, steps: Floats | None) -> Tensor:
    inputs = [x, draft.weights(matrix, steps, 0), draft.constant(bias)]
    shape = (*x.shape[:-1], matrix.shape[0])
    if len(x.shape) == 2:
        return draft.add("FULLY_CONNECTED", inputs, shape)
    return draft.add("FULLY_CONNECTED", inputs, shape, 5, keepNumDims=True)
