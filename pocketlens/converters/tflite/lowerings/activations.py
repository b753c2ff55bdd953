"""Functions of one value, from Relu to Gelu."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.registry import lowers

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
_NAMED_RANGES = {(0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}


@lowers(*_DIRECT)
def direct(draft: Draft, node: ir.Node) -> Tensor:
    """Operators that TFLite has under another name."""
    return draft.elementwise(_DIRECT[node.op_type], draft.of(node.inputs[0]))


@lowers("Clip", needs="constant bounds")
def clip(draft: Draft, node: ir.Node) -> Tensor:
    """One operator where TFLite has a name for the range, MAXIMUM and MINIMUM otherwise."""
    x = draft.of(node.inputs[0])
    bounds = []
    for index, free in ((1, -np.inf), (2, np.inf)):
        value = node.inputs[index] if index < len(node.inputs) else None
        array = np.array(free) if value is None else constant(value)
        if array is None:
            raise Refused("its bounds are computed, not constant")
        bounds.append(float(array.reshape(-1)[0]))
    return between(draft, x, *bounds)


def between(draft: Draft, x: Tensor, low: float, high: float) -> Tensor:
    """Clamp to a range. RELU is preferred to MAXIMUM with 0, because it can be fused into what comes before."""
    if named := _NAMED_RANGES.get((low, high)):
        return draft.elementwise(named, x)
    if low == 0:
        x = draft.elementwise("RELU", x)
    elif low > -np.inf:
        x = draft.elementwise("MAXIMUM", x, low)
    return draft.elementwise("MINIMUM", x, high) if high < np.inf else x


@lowers("LeakyRelu")
def leaky_relu(draft: Draft, node: ir.Node) -> Tensor:
    """LEAKY_RELU."""
    return draft.elementwise("LEAKY_RELU", draft.of(node.inputs[0]), alpha=hub.number(node, "alpha", 0.01))


@lowers("PRelu", needs="four axes; one constant slope, or one a channel")
def prelu(draft: Draft, node: ir.Node) -> Tensor:
    """PRELU with a slope a channel; TFLite's slope has no batch axis."""
    x = draft.of(node.inputs[0])
    slope = constant(node.inputs[1])
    if slope is None:
        raise Refused("its slope is computed, not constant")
    if len(x.shape) != 4:
        raise Refused(f"its input has rank {len(x.shape)}, expected 4")
    operand = layout.constant_operand(slope, 4)
    if operand.size not in (1, x.shape[3]) or operand.shape[-1] != operand.size:
        raise Refused(f"its slope has shape {list(slope.shape)}, expected one number, or one a channel")
    slopes = np.broadcast_to(operand.reshape(-1), (x.shape[3],)).reshape(1, 1, -1)
    return draft.add("PRELU", [x, draft.constant(slopes)], x.shape)


@lowers("Elu")
def elu(draft: Draft, node: ir.Node) -> Tensor:
    """ELU. TFLite's has no alpha: for another one the two halves are taken apart."""
    x, alpha = draft.of(node.inputs[0]), hub.number(node, "alpha", 1.0)
    if alpha == 1:
        return draft.elementwise("ELU", x)
    negative = draft.elementwise("ELU", draft.elementwise("MINIMUM", x, 0.0))
    return draft.elementwise("ADD", draft.elementwise("RELU", x), draft.elementwise("MUL", negative, alpha))


@lowers("ThresholdedRelu")
def thresholded_relu(draft: Draft, node: ir.Node) -> Tensor:
    """``x where x > alpha, else 0``."""
    x = draft.of(node.inputs[0])
    above = draft.elementwise("GREATER", x, hub.number(node, "alpha", 1.0), dtype=np.bool_)
    return draft.elementwise("SELECT_V2", above, x, 0.0)


@lowers("HardSigmoid")
def hard_sigmoid(draft: Draft, node: ir.Node) -> Tensor:
    """``clamp(alpha x + beta, 0, 1)``. For torch's 1/6 and 1/2, RELU6 of x + 3 needs one operator less."""
    x = draft.of(node.inputs[0])
    alpha, beta = hub.number(node, "alpha", 0.2), hub.number(node, "beta", 0.5)
    if np.isclose(alpha, 1 / 6) and beta == 0.5:
        return draft.elementwise("MUL", draft.elementwise("RELU6", draft.elementwise("ADD", x, 3.0)), 1 / 6)
    return between(draft, draft.elementwise("ADD", draft.elementwise("MUL", x, alpha), beta), 0.0, 1.0)


@lowers("Softplus")
def softplus(draft: Draft, node: ir.Node) -> Tensor:
    """``log(1 + exp(x))``, which TFLite has not."""
    return _softplus(draft, draft.of(node.inputs[0]))


def _softplus(draft: Draft, x: Tensor) -> Tensor:
    # max(x, 0) + log(1 + exp(-|x|)): the exponential never overflows.
    small = draft.elementwise("EXP", draft.elementwise("NEG", draft.elementwise("ABS", x)))
    rest = draft.elementwise("LOG", draft.elementwise("ADD", small, 1.0))
    return draft.elementwise("ADD", draft.elementwise("RELU", x), rest)


@lowers("Mish")
def mish(draft: Draft, node: ir.Node) -> Tensor:
    """``x tanh(softplus(x))``."""
    x = draft.of(node.inputs[0])
    return draft.elementwise("MUL", x, draft.elementwise("TANH", _softplus(draft, x)))


@lowers("Softsign")
def softsign(draft: Draft, node: ir.Node) -> Tensor:
    """``x / (1 + |x|)``."""
    x = draft.of(node.inputs[0])
    return draft.elementwise("DIV", x, draft.elementwise("ADD", draft.elementwise("ABS", x), 1.0))


@lowers("Gelu")
def gelu(draft: Draft, node: ir.Node) -> Tensor:
    """GELU, exact or with tanh, as asked."""
    return draft.elementwise(
        "GELU", draft.of(node.inputs[0]), approximate=hub.text(node, "approximate", "none") == "tanh"
    )


@lowers("Erf")
def erf(draft: Draft, node: ir.Node) -> Tensor:
    """TFLite has no erf: Abramowitz and Stegun 7.1.26, whose largest error is 1.5e-7, one unit of a float near 1."""
    x = draft.of(node.inputs[0])
    size = draft.elementwise("ABS", x)
    t = draft.elementwise("DIV", 1.0, draft.elementwise("ADD", draft.elementwise("MUL", size, 0.3275911), 1.0))
    polynomial = draft.elementwise("MUL", t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = draft.elementwise("MUL", draft.elementwise("ADD", polynomial, coefficient), t)
    bell = draft.elementwise("EXP", draft.elementwise("NEG", draft.elementwise("MUL", x, x)))
    magnitude = draft.elementwise("SUB", 1.0, draft.elementwise("MUL", polynomial, bell))
    # SIGN would leave XNNPACK. Where |x| < 1e-30 the magnitude is 0 anyway.
    sign = draft.elementwise("RELU_N1_TO_1", draft.elementwise("MUL", x, 1e30))
    return draft.elementwise("MUL", sign, magnitude)


@lowers("Softmax")
def softmax(draft: Draft, node: ir.Node) -> Tensor:
    """SOFTMAX over the last stored axis, in a picture the graph's channels; another axis changes places with it for that."""
    x = draft.of(node.inputs[0])
    order = list(range(len(x.shape)))
    axis = layout.axis(hub.integer(node, "axis", -1), len(order))
    order[axis], order[-1] = order[-1], order[axis]
    swapped = draft.transpose(x, order) if axis != len(order) - 1 else x
    found = draft.add("SOFTMAX", [swapped], swapped.shape, beta=1.0)
    return draft.transpose(found, order) if swapped is not x else found
