"""What takes values of several places together."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import Importer, rule

_REDUCED = {
    "MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin",
    "REDUCE_PROD": "ReduceProd",
}  # fmt: skip
_LEAST_LENGTH = 1e-6
"""TFLite divides by no smaller length of a vector."""


@rule(*_REDUCED)
def reduce(g: Importer, operator: Operator) -> ir.Value:
    """The axes are the second input."""
    axes = np.array(g.axes(operator, 1, g.rank(operator, 0)), np.int64)
    kept = g.option(operator, "keepDims", most=1)
    return g.add(_REDUCED[operator.code], [g.value(operator, 0), axes], keepdims=kept, noop_with_empty_axes=1)


@rule("ARG_MAX", "ARG_MIN")
def arg_max(g: Importer, operator: Operator) -> ir.Value:
    """The first place of the largest or smallest value along an axis."""
    (axis,) = g.axes(operator, 1, g.rank(operator, 0)) or [0]
    kind = "ArgMax" if operator.code == "ARG_MAX" else "ArgMin"
    return g.add(kind, [g.value(operator, 0)], axis=axis, keepdims=0)


@rule("L2_NORMALIZATION")
def l2_normalization(g: Importer, operator: Operator) -> ir.Value:
    """Vectors of the last axis, of length one."""
    x = g.value(operator, 0)
    squares = g.add("ReduceSum", [g.add("Mul", [x, x]), np.array([-1], np.int64)], keepdims=1)
    return g.add("Div", [x, g.add("Max", [g.add("Sqrt", [squares]), np.array(_LEAST_LENGTH, np.float32)])])
