"""Lowers a graph: node by node to a private body, with two entry points on it, one for pictures and one for arrays."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var
from pocketlens.converters.coreai.lowerings import TABLE
from pocketlens.converters.coreai.pictures import Pictures
from pocketlens.converters.lowering import is_constant
from pocketlens.runtimes.coreai_asset import ARRAYS


def lower_graph(model: ir.Model, dtype: type[np.floating[Any]]) -> Any:
    """The graph as a ``coreai.authoring.AIProgram``.

    Args:
        model: A graph without refusals.
        dtype: What the program computes in, ``float32`` or ``float16``.
    """
    from coreai.authoring import AIProgram, Module, TensorType

    builder = CoreAIBuilder(dtype)
    picture, *styles = (hub.static_shape(value) for value in model.graph.inputs)
    pictures = Pictures(builder, *picture[2:])

    def types(image: Any, numbers: type[np.floating[Any]]) -> list[Any]:
        return [image, *(TensorType(style, numbers) for style in styles)]

    def nodes(*inputs: Var) -> Var:
        for value, variable in zip(model.graph.inputs, inputs, strict=True):
            builder.bind(value, variable)
        for node in model.graph:
            if not is_constant(node):
                for value, variable in zip(node.outputs, TABLE.lower(builder, node), strict=True):
                    builder.bind(value, variable)
        return builder.get(model.graph.outputs[0])

    def on_arrays(*inputs: Var) -> Var:
        return builder.in_float32(body(*map(builder.from_float32, inputs))[0])

    def on_pictures(image: Var, *style: Var) -> Var:
        return pictures.write(body(pictures.read(image), *map(builder.from_float32, style))[0])

    module = Module.create()
    with module:
        inner, outer = (TensorType(picture, numbers, name=hub.OUTPUT) for numbers in (dtype, np.float32))
        body = add_graph("body", types(TensorType(picture, dtype), dtype), inner, nodes, private=True)
        add_graph(ARRAYS, types(TensorType(picture, np.float32), np.float32), outer, on_arrays)
        add_graph("main", types(pictures.type(), np.float32), pictures.type(hub.OUTPUT), on_pictures)
    return AIProgram(module)


def add_graph(
    name: str, inputs: list[Any], output: Any, build: Callable[..., Var], *, private: bool = False
) -> Callable[..., list[Var]]:
    """Add a graph to the module that is open.

    coreai-core reads a graph's inputs and output from a function's annotations, and counts its arguments: a picture,
    and of a pack its style.
    """
    from coreai.authoring import Value, graph

    functions = (lambda image: build(image), lambda image, style: build(image, style))  # noqa: PLW0108
    function: Callable[..., Var] = functions[len(inputs) - 1]
    arguments = (hub.INPUT, hub.STYLE)[: len(inputs)]
    kinds = zip((*arguments, "return"), (*inputs, output), strict=True)
    function.__annotations__ = {argument: Annotated[Value, kind] for argument, kind in kinds}
    made: Callable[..., list[Var]] = graph(function, provided_name=name, private=private, no_inline=private)
    return made
