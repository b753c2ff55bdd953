"""What is computed value by value, and what makes one type of numbers of another."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import Importer, Made, rule

_SAME_NAME = {
    "ABS": "Abs", "ADD": "Add", "CEIL": "Ceil", "COS": "Cos", "DIV": "Div", "EQUAL": "Equal", "EXP": "Exp",
    "FLOOR": "Floor", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "HARD_SWISH": "HardSwish",
    "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "LOG": "Log", "LOGICAL_AND": "And", "LOGICAL_NOT": "Not",
    "LOGICAL_OR": "Or", "LOGISTIC": "Sigmoid", "MAXIMUM": "Max", "MINIMUM": "Min", "MUL": "Mul", "NEG": "Neg",
    "POW": "Pow", "PRELU": "PRelu", "RELU": "Relu", "ROUND": "Round", "SELECT": "Where", "SELECT_V2": "Where",
    "SIGN": "Sign", "SIN": "Sin", "SQRT": "Sqrt", "SUB": "Sub", "TANH": "Tanh", "ADD_N": "Sum", "ELU": "Elu",
}  # fmt: skip
"""Operators that ONNX has as they are: the same inputs, broadcast in the same way, and no options."""
_LIMITS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


def _inputs(g: Importer, operator: Operator) -> list[ir.Value]:
    return [g.value(operator, place) for place in range(len(operator.inputs))]


@rule(*_SAME_NAME)
def same(g: Importer, operator: Operator) -> ir.Value:
    """One node."""
    return g.add(_SAME_NAME[operator.code], _inputs(g, operator))


@rule(*_LIMITS)
def clip(g: Importer, operator: Operator) -> ir.Value:
    """Clip."""
    low, high = (np.array(limit, np.float32) for limit in _LIMITS[operator.code])
    return g.add("Clip", [g.value(operator, 0), low, high])


@rule("NOT_EQUAL")
def not_equal(g: Importer, operator: Operator) -> ir.Value:
    """Not(Equal)."""
    return g.add("Not", [g.add("Equal", _inputs(g, operator))])


@rule("RSQRT")
def rsqrt(g: Importer, operator: Operator) -> ir.Value:
    """One over the root."""
    return g.add("Reciprocal", [g.add("Sqrt", [g.value(operator, 0)])])


@rule("SQUARE")
def square(g: Importer, operator: Operator) -> ir.Value:
    """The value times itself."""
    return g.add("Mul", [g.value(operator, 0)] * 2)


@rule("SQUARED_DIFFERENCE")
def squared_difference(g: Importer, operator: Operator) -> ir.Value:
    """The difference times itself."""
    return g.add("Mul", [g.add("Sub", _inputs(g, operator))] * 2)


@rule("FLOOR_DIV")
def floor_div(g: Importer, operator: Operator) -> ir.Value:
    """The largest whole number not above the quotient: with the remainder that has the divisor's sign taken off first,
    a division of whole numbers has nothing to round.
    """
    x, y = _inputs(g, operator)
    if g.dtype(operator) == ir.DataType.FLOAT:
        return g.add("Floor", [g.add("Div", [x, y])])
    return g.add("Div", [g.add("Sub", [x, g.add("Mod", [x, y])]), y])


@rule("FLOOR_MOD")
def floor_mod(g: Importer, operator: Operator) -> ir.Value:
    """The remainder with the divisor's sign."""
    x, y = _inputs(g, operator)
    if g.dtype(operator) == ir.DataType.FLOAT:
        return g.add("Sub", [x, g.add("Mul", [g.add("Floor", [g.add("Div", [x, y])]), y])])
    return g.add("Mod", [x, y])


@rule("LEAKY_RELU")
def leaky_relu(g: Importer, operator: Operator) -> ir.Value:
    """LeakyRelu."""
    return g.add("LeakyRelu", [g.value(operator, 0)], alpha=float(operator.options.alpha))


@rule("GELU")
def gelu(g: Importer, operator: Operator) -> ir.Value:
    """Gelu, by the error function or by tanh."""
    how = "tanh" if g.option(operator, "approximate") else "none"
    return g.add("Gelu", [g.value(operator, 0)], approximate=how)


@rule("SOFTMAX", "LOG_SOFTMAX")
def softmax(g: Importer, operator: Operator) -> ir.Value:
    """Over the last axis, of the values times beta."""
    x, beta = g.value(operator, 0), float(getattr(operator.options, "beta", 1.0))
    if operator.code == "LOG_SOFTMAX":
        return g.add("LogSoftmax", [x], axis=-1)
    return g.add("Softmax", [x if beta == 1.0 else g.add("Mul", [x, np.array(beta, np.float32)])], axis=-1)


@rule("CAST")
def cast(g: Importer, operator: Operator) -> ir.Value:
    """Another type of numbers, floats cut off."""
    if g.tensor(operator, 0).quantization is not None:
        raise g.refusal(operator, "reads quantized integers as numbers", "quantize the model again")
    return g.add("Cast", [g.value(operator, 0)], to=g.dtype(operator))


@rule("QUANTIZE", "DEQUANTIZE")
def quantize(g: Importer, operator: Operator) -> Made:
    """Nothing: quantized values are floats here, which the importer rounds where their scale is a new one. Constants
    stay constants.
    """
    array = g.array(operator, 0) if operator.code == "DEQUANTIZE" else None
    return g.value(operator, 0) if array is None else array.astype(np.float32)
