"""Lowers a graph: node by node, to a MIL program."""

from typing import Any

import numpy as np
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
    from coremltools.converters.mil.mil import Function, Program

    # The builder numbers the constants that it makes over the life of the process; each program starts at 0.
    Builder.name_count.clear()
    shapes = {str(value.name): hub.static_shape(value) for value in model.graph.inputs}
    placeholders = {name: Builder.TensorSpec(shape=shape) for name, shape in shapes.items()}
    opset = ct.target.iOS17 if quantizes_activations(model) else ct.target.iOS16
    with Function(placeholders, opset) as main:
        builder = MILBuilder(Builder, precision)
        for value in model.graph.inputs:
            builder.bind(value, main.inputs[value.name])
        for node in model.graph:
            if is_constant(node):
                continue
            builder.begin(node)
            for value, variable in zip(node.outputs, TABLE.lower(builder, node), strict=True):
                builder.bind(value, variable)
        main.set_outputs([builder.get(value) for value in model.graph.outputs])
    program = Program()
    program.add_function("main", main)
    rgb = ct.colorlayout.RGB
    image = ct.ImageType(hub.INPUT, shape=shapes.pop(hub.INPUT), color_layout=rgb, channel_first=True)
    main.set_input_types((image, *(ct.TensorType(name, shape=shape) for name, shape in shapes.items())))
    beside = [ct.TensorType(str(value.name), dtype=np.float32) for value in model.graph.outputs[1:]]
    main.set_output_types([ct.ImageType(hub.OUTPUT, color_layout=rgb), *beside])
    return program
