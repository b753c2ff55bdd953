"""Functions of one, two or three values, element by element."""

from collections.abc import Callable

import torch
from torch import Tensor

from pocketlens.runtimes.mil.rules.registry import RULES, Inputs, rule

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "atan": torch.atan,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "floor": torch.floor,
    "identity": torch.clone,
    "logical_not": torch.logical_not,
    "round": torch.round,
    "sign": torch.sign,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "square": torch.square,
}
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "equal": torch.eq,
    "floor_div": torch.floor_divide,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mod": torch.remainder,
    "mul": torch.mul,
    "not_equal": torch.ne,
    "pow": torch.pow,
    "real_div": torch.div,
    "sub": torch.sub,
}


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Inputs], Tensor]:
    return lambda inputs: function(inputs["x"])


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Inputs], Tensor]:
    return lambda inputs: function(inputs["x"], inputs["y"])


RULES.update({kind: _unary(function) for kind, function in _UNARY.items()})
RULES.update({kind: _binary(function) for kind, function in _BINARY.items()})


@rule("inverse")
def inverse(inputs: Inputs) -> Tensor:
    """``1 / (x + epsilon)``."""
    return 1 / (inputs["x"] + inputs.number("epsilon", 1e-4))


@rule("log")
def log(inputs: Inputs) -> Tensor:
    """``log(x + epsilon)``."""
    return torch.log(inputs["x"] + inputs.number("epsilon", 1e-45))


@rule("rsqrt")
def rsqrt(inputs: Inputs) -> Tensor:
    """``1 / sqrt(x + epsilon)``."""
    return torch.rsqrt(inputs["x"] + inputs.number("epsilon", 1e-12))


@rule("clip")
def clip(inputs: Inputs) -> Tensor:
    """``min(max(x, alpha), beta)``."""
    return torch.clamp(inputs["x"], inputs.number("alpha"), inputs.number("beta"))


@rule("select")
def select(inputs: Inputs) -> Tensor:
    """``a`` where ``cond``, else ``b``."""
    return torch.where(inputs["cond"].bool(), inputs["a"], inputs["b"])


@rule("cast")
def cast(inputs: Inputs) -> Tensor:
    """To another type; to whole numbers by cutting off. Rounding to fp16 is done to every value that is declared
    fp16.
    """
    x, kind = inputs["x"], inputs.text("dtype", "")
    if kind in ("fp16", "fp32"):
        return x.float()
    return x.bool() if kind == "bool" else torch.trunc(x.double()).long()


def _along(vector: Tensor, inputs: Inputs, rank: int) -> Tensor:
    if vector.ndim == 0:
        return vector
    shape = [1] * rank
    shape[inputs.integer("axis")] = -1
    return vector.reshape(shape)


@rule("quantize")
def quantize(inputs: Inputs) -> Tensor:
    """``clip(round(input / scale) + zero_point)``, half to even."""
    x = inputs["input"]
    zero = _along(inputs["zero_point"], inputs, x.ndim) if "zero_point" in inputs else torch.tensor(0)
    low, high = (0, 255) if inputs.text("output_dtype", "int8") == "uint8" else (-128, 127)
    return torch.clamp(torch.round(x / _along(inputs["scale"], inputs, x.ndim)) + zero, low, high).long()


@rule("dequantize")
def dequantize(inputs: Inputs) -> Tensor:
    """``scale * (input - zero_point)``."""
    x = inputs["input"]
    zero = _along(inputs["zero_point"], inputs, x.ndim) if "zero_point" in inputs else torch.tensor(0)
    return _along(inputs["scale"], inputs, x.ndim) * (x - zero).float()
