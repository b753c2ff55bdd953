"""Lowers a graph: node by node, to a MIL program."""

from typing import Any

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder
from pocketlens.converters.coreml.lowerings import TABLE
from pocketlens.converters.lowering import is_constant


def quantizes_activations(model: ir.Model) -> bool:
    """Whether a graph rounds computed values to integers, which needs iOS 17."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph)


def lower_graph(model: ir.Model, precision: str) -> Any:
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

    def lower_nodes(*inputs: Any) -> Any:
        builder = MILBuilder(Builder, precision)
        for value, variable in zip(model.graph.inputs, inputs, strict=True):
            builder.bind(value, variable)
        for node in model.graph:
            if is_constant(node):
                continue
            builder.begin(node)
            for value, variable in zip(node.outputs, TABLE.lower(builder, node), strict=True):
                builder.bind(value, variable)
        return builder.get(model.graph.outputs[0])

    # The builder counts a function's arguments and calls inputs after them.
    functions = (lambda image: lower_nodes(image), lambda image, style: lower_nodes(image, style))  # noqa: PLW0108
    program = Builder.program(
        input_specs=[Builder.TensorSpec(shape=shape) for shape in shapes],
        opset_version=ct.target.iOS17 if quantizes_activations(model) else ct.target.iOS16,
    )(functions[len(shapes) - 1])
    rgb = ct.colorlayout.RGB
    main = program.functions["main"]
    image = ct.ImageType(hub.INPUT, shape=shapes[0], color_layout=rgb, channel_first=True)
    main.set_input_types((image, *(ct.TensorType(hub.STYLE, shape=shape) for shape in shapes[1:])))
    main.set_output_types([ct.ImageType(hub.OUTPUT, color_layout=rgb)])
    return program
