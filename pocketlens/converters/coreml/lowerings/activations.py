"""Activations and other functions of one value."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.registry import (
    Scope,
    Var,
    floats,
    lowering,
    needs_constants,
    rank,
    shape,
)

_SAME = {
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
_LARGEST = float(np.finfo(np.float32).max)


@lowering(*_SAME)
def same(scope: Scope, node: ir.Node) -> Var:
    """What both call by much the same name."""
    return scope.op(_SAME[node.op_type], x=scope.get(node.inputs[0]))


@lowering("Identity", "Dropout")
def identity(scope: Scope, node: ir.Node) -> Var:
    """An operation of its own, so that a graph output keeps its name; coremltools drops it elsewhere."""
    return scope.op("identity", x=scope.get(node.inputs[0]))


@lowering("Log")
def log(scope: Scope, node: ir.Node) -> Var:
    """``log`` adds an epsilon to its input; the smallest there is."""
    return scope.op("log", x=scope.get(node.inputs[0]), epsilon=np.float32(1e-45))


@lowering("Neg")
def neg(scope: Scope, node: ir.Node) -> Var:
    """``x * -1``."""
    return scope.op("mul", x=scope.get(node.inputs[0]), y=np.float32(-1))


@lowering("Reciprocal")
def reciprocal(scope: Scope, node: ir.Node) -> Var:
    """``1 / x``; MIL's own ``inverse`` adds 1e-4 to its input."""
    return scope.op("real_div", x=np.float32(1), y=scope.get(node.inputs[0]))


@lowering("Clip", check=lambda node: needs_constants(node, 1, 2), needs="constant bounds")
def clip(scope: Scope, node: ir.Node) -> Var:
    """``clip``, or a minimum or maximum where there is one bound; float's own limits are no bound."""
    x = scope.get(node.inputs[0])
    low, high = (floats(node, index) for index in (1, 2))
    low_bound = None if low is None or low.item() <= -_LARGEST else np.float32(low.item())
    high_bound = None if high is None or high.item() >= _LARGEST else np.float32(high.item())
    if low_bound is not None and high_bound is not None:
        return scope.op("clip", x=x, alpha=low_bound, beta=high_bound)
    if low_bound is not None:
        return scope.op("maximum", x=x, y=low_bound)
    if high_bound is not None:
        return scope.op("minimum", x=x, y=high_bound)
    return scope.op("identity", x=x)


@lowering("LeakyRelu", "Elu")
def with_alpha(scope: Scope, node: ir.Node) -> Var:
    """``leaky_relu`` and ``elu``."""
    kind, default = {"LeakyRelu": ("leaky_relu", 0.01), "Elu": ("elu", 1.0)}[node.op_type]
    return scope.op(kind, x=scope.get(node.inputs[0]), alpha=np.float32(hub.number(node, "alpha", default)))


@lowering("ThresholdedRelu")
def thresholded_relu(scope: Scope, node: ir.Node) -> Var:
    """``thresholded_relu``, which lets alpha itself pass, and ONNX's does not: the next number above it."""
    alpha = hub.number(node, "alpha", 1.0)
    kind = np.float32 if scope.precision == "fp32" else np.float16
    above = np.nextafter(kind(alpha), kind(np.inf))
    return scope.op("thresholded_relu", x=scope.get(node.inputs[0]), alpha=np.float32(above))


def _check_prelu(node: ir.Node) -> str:
    if reason := needs_constants(node, 1):
        return reason
    slopes = shape(node.inputs[1])
    if np.prod(slopes) == 1:
        return ""
    found = shape(node.inputs[0])
    channels = (1,) * (len(found) - len(slopes)) + slopes
    if len(found) != 4 or channels != (1, found[1], 1, 1):
        return f"its slopes have shape {list(slopes)}, and have to be one, or one a channel of four axes"
    return ""


@lowering("PRelu", check=_check_prelu, needs="one constant slope, or one a channel of four axes")
def prelu(scope: Scope, node: ir.Node) -> Var:
    """``prelu`` with one slope a channel, or ``leaky_relu`` with one slope."""
    x, slopes = scope.get(node.inputs[0]), floats(node, 1)
    assert slopes is not None
    if slopes.size == 1:
        return scope.op("leaky_relu", x=x, alpha=np.float32(slopes.item()))
    return scope.op("prelu", x=x, alpha=slopes.reshape(-1))


@lowering("HardSigmoid")
def hard_sigmoid(scope: Scope, node: ir.Node) -> Var:
    """``sigmoid_hard``."""
    return scope.op(
        "sigmoid_hard",
        x=scope.get(node.inputs[0]),
        alpha=np.float32(hub.number(node, "alpha", 0.2)),
        beta=np.float32(hub.number(node, "beta", 0.5)),
    )


@lowering("HardSwish")
def hard_swish(scope: Scope, node: ir.Node) -> Var:
    """``x * sigmoid_hard(x / 6 + 1/2)``."""
    x = scope.get(node.inputs[0])
    gate = scope.op("sigmoid_hard", x=x, alpha=np.float32(1 / 6), beta=np.float32(0.5))
    return scope.op("mul", x=x, y=gate)


@lowering("Mish")
def mish(scope: Scope, node: ir.Node) -> Var:
    """``x * tanh(softplus(x))``."""
    x = scope.get(node.inputs[0])
    return scope.op("mul", x=x, y=scope.op("tanh", x=scope.op("softplus", x=x)))


@lowering("Gelu")
def gelu(scope: Scope, node: ir.Node) -> Var:
    """``gelu``, exact or with its tanh approximation."""
    approximate = hub.text(node, "approximate", "none") == "tanh"
    mode = "TANH_APPROXIMATION" if approximate else "EXACT"
    return scope.op("gelu", x=scope.get(node.inputs[0]), mode=mode)


@lowering("Softmax")
def softmax(scope: Scope, node: ir.Node) -> Var:
    """``softmax`` along one axis."""
    axis = hub.integer(node, "axis", -1) % rank(node.inputs[0])
    return scope.op("softmax", x=scope.get(node.inputs[0]), axis=np.int32(axis))
