"""From the graph to a MIL program, and the reasons why not."""

from typing import Any

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.coreml import lowerings  # noqa: F401 - importing it fills the table
from pocketlens.converters.coreml.registry import MAX_RANK, TABLE, Scope
from pocketlens.converters.emitter import Refusal

TARGET = "coreml"
_MOVES = ("Reshape", "Transpose")
"""What leaves out the first of six axes if its length is 1: pictures come one at a time."""


_ROUNDING = ("QuantizeLinear", "DequantizeLinear")
"""What makes and reads integers."""
_COMPUTED = (ir.DataType.FLOAT, ir.DataType.BOOL)
"""The types of all other values."""


def refusals(model: ir.Model) -> list[Refusal]:
    """Every node that cannot be lowered, with its reason; coremltools is not needed to know."""
    walked = [node for node in model.graph if not is_weight(node)]
    return [Refusal(TARGET, node.op_type, node.name or "", reason) for node in walked if (reason := _reason(node))]


def is_weight(node: ir.Node) -> bool:
    """Whether a node only says how weights are coded; whoever reads them sees to them."""
    return constant(node.outputs[0]) is not None


def rounds(model: ir.Model) -> bool:
    """Whether a graph rounds computed values to integers, which needs iOS 17."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph)


def _reason(node: ir.Node) -> str:
    if node.domain not in ("", "ai.onnx"):
        return f"it is of the domain {node.domain!r}, and only ONNX's own operators are known"
    if node.op_type not in TABLE:
        return "Core ML has no lowering for it here"
    if node.inputs and node.inputs[0] is None:
        return "its first input is left out"
    for value in (*node.inputs, *node.outputs):
        if value is None or constant(value) is not None:
            continue
        if value.dtype not in _COMPUTED and node.op_type not in _ROUNDING:
            return f"{value.name!r} is {value.dtype}, and only float32 and bool are computed with"
        shape = hub.static_shape(value)
        spare = len(shape) == MAX_RANK + 1 and shape[0] == 1 and node.op_type in _MOVES
        if not shape or (len(shape) > MAX_RANK and not spare):
            return f"{value.name!r} has {len(shape)} axes, and Core ML takes 1 to {MAX_RANK}"
    return TABLE[node.op_type].check(node)


def build(model: ir.Model, precision: str) -> Any:
    """The graph as coremltools' program, in fp32; the conversion makes it fp16 where ``precision`` says so.

    Args:
        model: A graph without refusals.
        precision: ``fp32`` or ``fp16``.
    """
    import coremltools as ct
    from coremltools.converters.mil import Builder

    # The builder numbers the constants that it makes over the life of the process; each program starts at 0.
    Builder.name_count.clear()
    shapes = [hub.static_shape(value) for value in model.graph.inputs]

    def walk(*given: Any) -> Any:
        scope = Scope(Builder, precision)
        for value, var in zip(model.graph.inputs, given, strict=True):
            scope.bind(value, var)
        for node in model.graph:
            if is_weight(node):
                continue
            scope.begin(node)
            made = TABLE[node.op_type].lower(scope, node)
            for value, var in zip(node.outputs, made if isinstance(made, list | tuple) else (made,), strict=True):
                scope.bind(value, var)
        return scope.get(model.graph.outputs[0])

    # The builder counts a function's arguments and calls inputs after them.
    functions = (lambda image: walk(image), lambda image, style: walk(image, style))  # noqa: PLW0108
    program = Builder.program(
        input_specs=[Builder.TensorSpec(shape=shape) for shape in shapes],
        opset_version=ct.target.iOS17 if rounds(model) else ct.target.iOS16,
    )(functions[len(shapes) - 1])
    rgb = ct.colorlayout.RGB
    main = program.functions["main"]
    image = ct.ImageType(hub.INPUT, shape=shapes[0], color_layout=rgb, channel_first=True)
    main.set_input_types((image, *(ct.TensorType(hub.STYLE, shape=shape) for shape in shapes[1:])))
    main.set_output_types([ct.ImageType(hub.OUTPUT, color_layout=rgb)])
    return program
