"""Functions of one value, from Relu to Gelu, and Softmax."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, is_place, needs_constants, rank, shape

_DIRECT = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_INT32_MAX = float(np.iinfo(np.int32).max)


@lowering(*_DIRECT)
def direct(builder: MILBuilder, node: ir.Node) -> Var:
    """Operators that MIL has under another name."""
    return builder.add(_DIRECT[node.op_type], x=builder.get(node.inputs[0]))


@lowering("Log")
def log(builder: MILBuilder, node: ir.Node) -> Var:
    """``log`` adds an epsilon to its input; the smallest there is."""
    return builder.add("log", x=builder.get(node.inputs[0]), epsilon=np.float32(1e-45))


@lowering("Neg")
def neg(builder: MILBuilder, node: ir.Node) -> Var:
    """``x * -1``."""
    return builder.add("mul", x=builder.get(node.inputs[0]), y=np.float32(-1))


@lowering("Clip", check=lambda node: needs_constants(node, "its bounds are", 1, 2), needs="constant bounds")
def clip(builder: MILBuilder, node: ir.Node) -> Var:
    """``clip``, or a minimum or maximum where there is one bound; float's own limits are no bound."""
    x = builder.get(node.inputs[0])
    low, high = (floats(node, index) for index in (1, 2))
    places = is_place(node.outputs[0])
    kind, most = (np.int32, _INT32_MAX) if places else (np.float32, _FLOAT32_MAX)
    low_bound = None if low is None or low.item() <= -most else kind(low.item())
    high_bound = None if high is None or high.item() >= most else kind(high.item())
    if low_bound is not None and high_bound is not None and places:
        return builder.add("minimum", x=builder.add("maximum", x=x, y=low_bound), y=high_bound)
    if low_bound is not None and high_bound is not None:
        return builder.add("clip", x=x, alpha=low_bound, beta=high_bound)
    if low_bound is not None:
        return builder.add("maximum", x=x, y=low_bound)
    if high_bound is not None:
        return builder.add("minimum", x=x, y=high_bound)
    return builder.add("identity", x=x)


@lowering("LeakyRelu")
def leaky_relu(builder: MILBuilder, node: ir.Node) -> Var:
    """``leaky_relu``."""
    alpha = np.float32(hub.number(node, "alpha", 0.01))
    return builder.add("leaky_relu", x=builder.get(node.inputs[0]), alpha=alpha)


@lowering("Elu")
def elu(builder: MILBuilder, node: ir.Node) -> Var:
    """``elu``."""
    return builder.add("elu", x=builder.get(node.inputs[0]), alpha=np.float32(hub.number(node, "alpha", 1.0)))


@lowering("ThresholdedRelu")
def thresholded_relu(builder: MILBuilder, node: ir.Node) -> Var:
    """``thresholded_relu`` with the next number above alpha: MIL lets alpha itself pass, ONNX does not."""
    alpha = hub.number(node, "alpha", 1.0)
    dtype = np.float32 if builder.precision == "fp32" else np.float16
    above = np.nextafter(dtype(alpha), dtype(np.inf))
    return builder.add("thresholded_relu", x=builder.get(node.inputs[0]), alpha=np.float32(above))


def _check_prelu(node: ir.Node) -> str:
    if reason := needs_constants(node, "its slope is", 1):
        return reason
    slopes = shape(node.inputs[1])
    if np.prod(slopes) == 1:
        return ""
    source = shape(node.inputs[0])
    channels = (1,) * (len(source) - len(slopes)) + slopes
    if len(source) != 4 or channels != (1, source[1], 1, 1):
        return f"its slopes have shape {list(slopes)}, and have to be one, or one a channel of four axes"
    return ""


@lowering("PRelu", check=_check_prelu, needs="one constant slope, or one a channel of four axes")
def prelu(builder: MILBuilder, node: ir.Node) -> Var:
    """``prelu`` with one slope a channel, or ``leaky_relu`` with one slope."""
    x, slopes = builder.get(node.inputs[0]), floats(node, 1)
    assert slopes is not None
    if slopes.size == 1:
        return builder.add("leaky_relu", x=x, alpha=np.float32(slopes.item()))
    return builder.add("prelu", x=x, alpha=slopes.reshape(-1))


@lowering("HardSigmoid")
def hard_sigmoid(builder: MILBuilder, node: ir.Node) -> Var:
    """``sigmoid_hard``."""
    return builder.add(
        "sigmoid_hard",
        x=builder.get(node.inputs[0]),
        alpha=np.float32(hub.number(node, "alpha", 0.2)),
        beta=np.float32(hub.number(node, "beta", 0.5)),
    )


@lowering("HardSwish")
def hard_swish(builder: MILBuilder, node: ir.Node) -> Var:
    """``x * sigmoid_hard(x / 6 + 1/2)``."""
    x = builder.get(node.inputs[0])
    gate = builder.add("sigmoid_hard", x=x, alpha=np.float32(1 / 6), beta=np.float32(0.5))
    return builder.add("mul", x=x, y=gate)


@lowering("Mish")
def mish(builder: MILBuilder, node: ir.Node) -> Var:
    """``x * tanh(softplus(x))``."""
    x = builder.get(node.inputs[0])
    return builder.add("mul", x=x, y=builder.add("tanh", x=builder.add("softplus", x=x)))


@lowering("Gelu")
def gelu(builder: MILBuilder, node: ir.Node) -> Var:
    """``gelu``, exact or with its tanh approximation."""
    approximate = hub.text(node, "approximate", "none") == "tanh"
    mode = "TANH_APPROXIMATION" if approximate else "EXACT"
    return builder.add("gelu", x=builder.get(node.inputs[0]), mode=mode)


@lowering("Softmax")
def softmax(builder: MILBuilder, node: ir.Node) -> Var:
    """``softmax`` along one axis."""
    axis = hub.integer(node, "axis", -1) % rank(node.inputs[0])
    return builder.add("softmax", x=builder.get(node.inputs[0]), axis=np.int32(axis))
