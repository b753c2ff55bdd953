"""Functions of one value, from Relu to Gelu, and Softmax."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import floats, is_place, needs_constants, needs_rank, shape
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_DIRECT = {
    "Relu": "RELU",
    "Tanh": "TANH",
    "Sigmoid": "LOGISTIC",
    "HardSwish": "HARD_SWISH",
    "Exp": "EXP",
    "Log": "LOG",
    "Sqrt": "SQRT",
    "Abs": "ABS",
    "Neg": "NEG",
    "Floor": "FLOOR",
    "Ceil": "CEIL",
    "Round": "ROUND",
    "Sign": "SIGN",
    "Sin": "SIN",
    "Cos": "COS",
}
_INT32_MAX = np.iinfo(np.int32).max
_NAMED_RANGES = {(0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}


@lowering(*_DIRECT)
def direct(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Operators that TFLite has under another name."""
    return builder.elementwise(_DIRECT[node.op_type], builder.get(node.inputs[0]))


@lowering("Clip", check=lambda node: needs_constants(node, "its bounds are", 1, 2), needs="constant bounds")
def clip(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """One operator where TFLite has a name for the range, MAXIMUM and MINIMUM otherwise."""
    low, high = floats(node, 1), floats(node, 2)
    low_bound = -np.inf if low is None else float(low.reshape(-1)[0])
    high_bound = np.inf if high is None else float(high.reshape(-1)[0])
    if is_place(node.outputs[0]):
        return _clamp_places(builder, builder.get(node.inputs[0]), low_bound, high_bound)
    return _clamp(builder, builder.get(node.inputs[0]), low_bound, high_bound)


def _clamp_places(builder: TFLiteBuilder, x: Tensor, low: float, high: float) -> Tensor:
    for code, bound in (("MAXIMUM", low), ("MINIMUM", high)):
        if abs(bound) < _INT32_MAX:
            x = builder.elementwise(code, x, builder.integers([int(bound)]), dtype=np.int32)
    return x


def _clamp(builder: TFLiteBuilder, x: Tensor, low: float, high: float) -> Tensor:
    """Clamp to a range. RELU is preferred to MAXIMUM with 0, because it can be fused into what comes before."""
    if operator := _NAMED_RANGES.get((low, high)):
        return builder.elementwise(operator, x)
    if low == 0:
        x = builder.elementwise("RELU", x)
    elif low > -np.inf:
        x = builder.elementwise("MAXIMUM", x, low)
    return builder.elementwise("MINIMUM", x, high) if high < np.inf else x


@lowering("LeakyRelu")
def leaky_relu(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """LEAKY_RELU."""
    return builder.elementwise("LEAKY_RELU", builder.get(node.inputs[0]), alpha=hub.number(node, "alpha", 0.01))


def _check_prelu(node: ir.Node) -> str:
    if reason := needs_constants(node, "its slope is", 1) or needs_rank(node, 4):
        return reason
    slope = floats(node, 1)
    assert slope is not None
    operand = layout.constant_operand(slope, 4)
    if operand.size not in (1, shape(node.inputs[0])[1]) or operand.shape[-1] != operand.size:
        return f"its slope has shape {list(slope.shape)}, expected one number, or one a channel"
    return ""


@lowering("PRelu", check=_check_prelu, needs="four axes; one constant slope, or one a channel")
def prelu(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """PRELU with a slope a channel; TFLite's slope has no batch axis."""
    x, slope = builder.get(node.inputs[0]), constant(node.inputs[1])
    assert slope is not None
    slopes = np.broadcast_to(slope.reshape(-1), (x.shape[3],)).reshape(1, 1, -1)
    return builder.add("PRELU", [x, builder.constant(slopes)], x.shape)


@lowering("Elu")
def elu(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """ELU. TFLite's has no alpha: for another than 1, positive and negative values are computed apart."""
    x, alpha = builder.get(node.inputs[0]), hub.number(node, "alpha", 1.0)
    if alpha == 1:
        return builder.elementwise("ELU", x)
    negative = builder.elementwise("ELU", builder.elementwise("MINIMUM", x, 0.0))
    return builder.elementwise("ADD", builder.elementwise("RELU", x), builder.elementwise("MUL", negative, alpha))


@lowering("ThresholdedRelu")
def thresholded_relu(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """``x where x > alpha, else 0``."""
    x = builder.get(node.inputs[0])
    above = builder.elementwise("GREATER", x, hub.number(node, "alpha", 1.0), dtype=np.bool_)
    return builder.elementwise("SELECT_V2", above, x, 0.0)


@lowering("HardSigmoid")
def hard_sigmoid(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """``clamp(alpha x + beta, 0, 1)``. For torch's 1/6 and 1/2, RELU6 of x + 3 needs one operator less."""
    x = builder.get(node.inputs[0])
    alpha, beta = hub.number(node, "alpha", 0.2), hub.number(node, "beta", 0.5)
    if np.isclose(alpha, 1 / 6) and beta == 0.5:
        return builder.elementwise("MUL", builder.elementwise("RELU6", builder.elementwise("ADD", x, 3.0)), 1 / 6)
    return _clamp(builder, builder.elementwise("ADD", builder.elementwise("MUL", x, alpha), beta), 0.0, 1.0)


@lowering("Softplus")
def softplus(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """``log(1 + exp(x))``, which TFLite does not have."""
    return _softplus(builder, builder.get(node.inputs[0]))


def _softplus(builder: TFLiteBuilder, x: Tensor) -> Tensor:
    # max(x, 0) + log(1 + exp(-|x|)): the exponential never overflows.
    small = builder.elementwise("EXP", builder.elementwise("NEG", builder.elementwise("ABS", x)))
    rest = builder.elementwise("LOG", builder.elementwise("ADD", small, 1.0))
    return builder.elementwise("ADD", builder.elementwise("RELU", x), rest)


@lowering("Mish")
def mish(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """``x tanh(softplus(x))``."""
    x = builder.get(node.inputs[0])
    return builder.elementwise("MUL", x, builder.elementwise("TANH", _softplus(builder, x)))


@lowering("Softsign")
def softsign(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """``x / (1 + |x|)``."""
    x = builder.get(node.inputs[0])
    return builder.elementwise("DIV", x, builder.elementwise("ADD", builder.elementwise("ABS", x), 1.0))


@lowering("Gelu")
def gelu(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """GELU, exact or with its tanh approximation."""
    return builder.elementwise(
        "GELU", builder.get(node.inputs[0]), approximate=hub.text(node, "approximate", "none") == "tanh"
    )


@lowering("Erf")
def erf(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """TFLite has no erf: Abramowitz and Stegun 7.1.26, whose largest error is 1.5e-7, one unit of a float near 1."""
    x = builder.get(node.inputs[0])
    absolute = builder.elementwise("ABS", x)
    t = builder.elementwise(
        "DIV", 1.0, builder.elementwise("ADD", builder.elementwise("MUL", absolute, 0.3275911), 1.0)
    )
    polynomial = builder.elementwise("MUL", t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = builder.elementwise("MUL", builder.elementwise("ADD", polynomial, coefficient), t)
    bell = builder.elementwise("EXP", builder.elementwise("NEG", builder.elementwise("MUL", x, x)))
    magnitude = builder.elementwise("SUB", 1.0, builder.elementwise("MUL", polynomial, bell))
    # SIGN would leave XNNPACK. Where |x| < 1e-30 the magnitude is 0 anyway.
    sign = builder.elementwise("RELU_N1_TO_1", builder.elementwise("MUL", x, 1e30))
    return builder.elementwise("MUL", sign, magnitude)


@lowering("Softmax")
def softmax(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """SOFTMAX over the last stored axis, of a picture the channels; another axis is transposed to the last place and
    back. LiteRT's GPU engine takes other values of a single axis for those to compare, so that one stands in front.
    """
    x = builder.get(node.inputs[0])
    if len(x.shape) == 1:
        row = builder.reshape(x, (1, *x.shape))
        return builder.reshape(builder.add("SOFTMAX", [row], row.shape, beta=1.0), x.shape)
    order = list(range(len(x.shape)))
    axis = layout.axis(hub.integer(node, "axis", -1), len(order))
    order[axis], order[-1] = order[-1], order[axis]
    swapped = builder.transpose(x, order) if axis != len(order) - 1 else x
    softmaxed = builder.add("SOFTMAX", [swapped], swapped.shape, beta=1.0)
    return builder.transpose(softmaxed, order) if swapped is not x else softmaxed
