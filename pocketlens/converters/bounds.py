"""The range that a value of the graph must lie in, where the operators that compute it fix one."""

import math

import onnx_ir as ir

from pocketlens.converters.rewrites import edit

Bounds = tuple[float, float]
_BOUNDED: dict[str, Bounds] = {
    "Tanh": (-1, 1),
    "Sigmoid": (0, 1),
    "HardSigmoid": (0, 1),
    "Softmax": (0, 1),
    "Softsign": (-1, 1),
}
_MOVES = ("Cast", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
MAX_STEPS = 12
"""How far back is looked."""


def output_bounds(value: ir.Value | None, steps: int = MAX_STEPS) -> Bounds | None:
    """The lowest and highest value that is possible, or None where nothing is known.

    Followed are what only moves values, and sums and products with one number.
    """
    node = value.producer() if value is not None else None
    if node is None or node.domain or not steps:
        return None
    if node.op_type in _BOUNDED:
        return _BOUNDED[node.op_type]
    if node.op_type == "Clip":
        low, high = (edit.constant_scalar(node.inputs[i]) if len(node.inputs) > i else None for i in (1, 2))
        return None if low is None or high is None or not low < high else (low, high)
    if node.op_type in _MOVES:
        return output_bounds(node.inputs[0], steps - 1)
    if node.op_type in ("Add", "Sub", "Mul", "Div") and len(node.inputs) == 2:
        return _affine(node, steps)
    return None


def _affine(node: ir.Node, steps: int) -> Bounds | None:
    numbers = [edit.constant_scalar(side) for side in node.inputs]
    if numbers[1] is None and (numbers[0] is None or node.op_type == "Div"):
        return None
    number = numbers[1] if numbers[1] is not None else numbers[0]
    source_bounds = output_bounds(node.inputs[0 if numbers[1] is not None else 1], steps - 1)
    if source_bounds is None or number is None or (node.op_type == "Div" and not number):
        return None
    if node.op_type == "Add":
        ends = [end + number for end in source_bounds]
    elif node.op_type == "Sub":
        ends = [end - number if numbers[1] is not None else number - end for end in source_bounds]
    else:
        ends = [end * number if node.op_type == "Mul" else end / number for end in source_bounds]
    return (min(ends), max(ends)) if all(map(math.isfinite, ends)) else None
