"""The table of lowerings, and the walk that turns the graph into a draft.

A lowering is a function that takes a node and adds TFLite operators to the draft. It raises
:class:`~pocketlens.converters.tflite.draft.Refused` where TFLite cannot say what the node means. Asking what would be
refused is the same walk with nothing written, so an operator is supported exactly if its lowering goes through.
"""

from collections.abc import Callable
from importlib import import_module

import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Refusal
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor

Lowering = Callable[[Draft, ir.Node], Tensor | list[Tensor]]
"""Adds what a node needs to the draft; returns the tensor of its output, or of each output."""

_FAMILIES = (
    "activations",
    "arithmetic",
    "conv",
    "linear",
    "norm",
    "pad",
    "pool",
    "reduce",
    "resize",
    "rounding",
    "shape",
    "shuffle",
    "transposed_conv",
)
_TABLE: dict[str, Lowering] = {}
_NEEDS: dict[str, str] = {}
_NUMBERS = (ir.DataType.FLOAT, ir.DataType.BOOL, None)
_ROUNDING = ("QuantizeLinear", "DequantizeLinear")
"""What makes and reads integers."""


def lowers(*operators: str, needs: str = "") -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of ONNX operators.

    Args:
        operators: Their names.
        needs: What has to hold, in words, where the lowering refuses some nodes; ``docs/operators.md`` shows it.
    """

    def register(lowering: Lowering) -> Lowering:
        for operator in operators:
            assert operator not in _TABLE, operator
            _TABLE[operator], _NEEDS[operator] = lowering, needs
        return lowering

    return register


def table() -> dict[str, Lowering]:
    """Every ONNX operator that can be lowered, sorted by name, and its lowering."""
    for family in _FAMILIES:
        import_module(f"pocketlens.converters.tflite.lowerings.{family}")
    return dict(sorted(_TABLE.items()))


def conditions() -> dict[str, str]:
    """What has to hold for each operator of :func:`table`, in words; empty where nothing but the general rules."""
    return {operator: _NEEDS[operator] for operator in table()}


def draft(model: ir.Model) -> tuple[Draft, list[Refusal]]:
    """Walk the graph once.

    Returns:
        The draft, and every node that was refused. The draft is only whole if that list is empty.
    """
    lowerings = table()
    result = Draft()
    for value in model.graph.inputs:
        result.placeholder(value)
    refusals = []
    for node in model.graph:
        if constant(node.outputs[0]) is not None:  # coded weights: whoever reads them sees to them
            continue
        result.begin(node)
        try:
            lowered = _lower(result, node, lowerings)
        except Refused as refused:
            refusals.append(Refusal("tflite", node.op_type, node.name or "", str(refused)))
            for value in node.outputs:  # so that what reads them is judged on its own
                result.placeholder(value)
            continue
        for value, tensor in zip(node.outputs, lowered, strict=False):
            result.bind(value, tensor)
    return result, refusals


def _lower(result: Draft, node: ir.Node, lowerings: dict[str, Lowering]) -> list[Tensor]:
    if node.domain or node.op_type not in lowerings:
        raise Refused("there is no lowering for it")
    if any(v.uses() for v in node.outputs[1:]) and node.op_type != "Split":
        raise Refused("only its first output is known")
    for value in (*(v for v in node.inputs if v is not None and constant(v) is None), *node.outputs):
        if value.dtype not in _NUMBERS and node.op_type not in _ROUNDING:
            raise Refused(f"{value.name!r} is {value.dtype}, only float32 and bool are known")
    lowered = lowerings[node.op_type](result, node)
    return lowered if isinstance(lowered, list) else [lowered]
