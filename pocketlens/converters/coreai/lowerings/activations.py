"""Functions of one value, from Relu to Gelu, and Softmax."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import floats, needs_constants, rank

_DIRECT = {
    "Abs": "abs_",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "Log": "log",
    "Relu": "relu",
    "Round": "round_",
    "Sigmoid": "sigmoid",
    "Sin": "sin",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class _Scalars:
    """Arithmetic of a variable with numbers."""

    def __init__(self, builder: CoreAIBuilder, axes: int) -> None:
        self._builder, self._axes = builder, axes

    def __call__(self, operation: str, x: Var, y: Var | float) -> Var:
        """``broadcasting_<operation>`` of a variable and a variable or number."""
        if isinstance(y, float):
            y = self._builder.scalar(y, self._axes)
        return getattr(self._builder.ops, f"broadcasting_{operation}")(x, y)


def _start(builder: CoreAIBuilder, node: ir.Node) -> tuple[Var, _Scalars]:
    return builder.get(node.inputs[0]), _Scalars(builder, rank(node.inputs[0]))


@lowering(*_DIRECT)
def direct(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Operators that Core AI has under another name."""
    return getattr(builder.ops, _DIRECT[node.op_type])(builder.get(node.inputs[0]))


@lowering("Neg")
def neg(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``x * -1``."""
    x, do = _start(builder, node)
    return do("mul", x, -1.0)


@lowering("Floor")
def floor(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Floor division by 1; Core AI has no ``floor``."""
    x, do = _start(builder, node)
    return do("floor_divide", x, 1.0)


@lowering("Ceil")
def ceil(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``-floor(-x)``."""
    x, do = _start(builder, node)
    return do("mul", do("floor_divide", x, -1.0), -1.0)


@lowering("Sign")
def sign(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """1 where ``x > 0``, less 1 where ``x < 0``."""
    x, do = _start(builder, node)
    zero = builder.scalar(0.0, rank(node.inputs[0]))
    above, below = builder.ops.broadcasting_greater(x, zero), builder.ops.broadcasting_greater(zero, x)
    return do("sub", builder.ops.cast(above, builder.dtype), builder.ops.cast(below, builder.dtype))


@lowering("Clip", check=lambda node: needs_constants(node, "its bounds are", 1, 2), needs="constant bounds")
def clip(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """A maximum, a minimum, or both; float's own limits are no bound."""
    x, do = _start(builder, node)
    low, high = (floats(node, index) for index in (1, 2))
    if low is not None and low.item() > -_FLOAT32_MAX:
        x = do("maximum", x, float(low.item()))
    if high is not None and high.item() < _FLOAT32_MAX:
        x = do("minimum", x, float(high.item()))
    return x


def _leaky(builder: CoreAIBuilder, x: Var, slopes: Var, axes: int) -> Var:
    """``max(x, 0) + slope * min(x, 0)``."""
    do, zero = _Scalars(builder, axes), builder.scalar(0.0, axes)
    return do("add", builder.ops.relu(x), do("mul", do("minimum", x, zero), slopes))


@lowering("LeakyRelu")
def leaky_relu(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``max(x, 0) + alpha * min(x, 0)``."""
    axes = rank(node.inputs[0])
    return _leaky(builder, builder.get(node.inputs[0]), builder.scalar(hub.number(node, "alpha", 0.01), axes), axes)


@lowering("PRelu")
def prelu(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``max(x, 0) + slope * min(x, 0)``, whatever the slopes' shape."""
    axes = rank(node.inputs[0])
    return _leaky(builder, builder.get(node.inputs[0]), builder.operand(node.inputs[1], axes), axes)


@lowering("Elu")
def elu(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``max(x, 0) + alpha * (exp(min(x, 0)) - 1)``: the exponential never overflows."""
    x, do = _start(builder, node)
    below = do("sub", builder.ops.exp(do("minimum", x, 0.0)), 1.0)
    return do("add", builder.ops.relu(x), do("mul", below, hub.number(node, "alpha", 1.0)))


@lowering("ThresholdedRelu")
def thresholded_relu(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``x`` where it is above alpha, else 0."""
    axes = rank(node.inputs[0])
    x, alpha = builder.get(node.inputs[0]), builder.scalar(hub.number(node, "alpha", 1.0), axes)
    passes = builder.ops.broadcasting_greater(x, alpha)
    return builder.ops.broadcasting_where(passes, x, builder.scalar(0.0, axes))


def _hard_sigmoid(do: _Scalars, x: Var, alpha: float, beta: float) -> Var:
    return do("minimum", do("maximum", do("add", do("mul", x, alpha), beta), 0.0), 1.0)


@lowering("HardSigmoid")
def hard_sigmoid(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``alpha * x + beta``, held within 0 and 1."""
    x, do = _start(builder, node)
    return _hard_sigmoid(do, x, hub.number(node, "alpha", 0.2), hub.number(node, "beta", 0.5))


@lowering("HardSwish")
def hard_swish(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``x`` times the hard sigmoid ``x / 6 + 1/2``."""
    x, do = _start(builder, node)
    return do("mul", x, _hard_sigmoid(do, x, 1 / 6, 0.5))


def _softplus(builder: CoreAIBuilder, do: _Scalars, x: Var) -> Var:
    """``max(x, 0) + log(1 + exp(-|x|))``: the exponential never overflows."""
    decay = builder.ops.exp(do("mul", builder.ops.abs_(x), -1.0))
    return do("add", builder.ops.relu(x), builder.ops.log(do("add", decay, 1.0)))


@lowering("Softplus")
def softplus(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``log(1 + exp(x))``."""
    x, do = _start(builder, node)
    return _softplus(builder, do, x)


@lowering("Softsign")
def softsign(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``x / (1 + |x|)``."""
    x, do = _start(builder, node)
    return do("divide", x, do("add", builder.ops.abs_(x), 1.0))


@lowering("Mish")
def mish(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``x * tanh(softplus(x))``."""
    x, do = _start(builder, node)
    return do("mul", x, builder.ops.tanh(_softplus(builder, do, x)))


@lowering("Gelu")
def gelu(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``gelu``, exact or with its tanh approximation."""
    return builder.ops.gelu(builder.get(node.inputs[0]), approximate=hub.text(node, "approximate", "none"))


@lowering("Softmax")
def softmax(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``softmax`` along one axis."""
    axis = hub.integer(node, "axis", -1) % rank(node.inputs[0])
    return builder.ops.softmax(builder.get(node.inputs[0]), np.array(axis, np.int32))
