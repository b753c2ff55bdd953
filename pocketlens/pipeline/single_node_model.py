"""One node of the graph as a graph of its own, to be emitted and timed where a runtime tells nothing of its layers."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from pocketlens.bench.profile import FRAMES, Step, milliseconds
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.errors import UnsupportedError


def alone(node: ir.Node) -> ir.Model:
    """A graph of this node. Values that it reads become one input if they have one shape, constants stay.

    Raises:
        UnsupportedError: It reads values of different shapes.
    """
    image: ir.Value | None = None
    given: list[ir.Value | None] = []
    constants = []
    for value in node.inputs:
        if value is None or not value.name:
            given.append(None)
        elif value.const_value is not None:
            copy = ir.Value(name=value.name, const_value=value.const_value, shape=value.shape, type=value.type)
            constants.append(copy)
            given.append(copy)
        else:
            image = image or ir.Value(name=hub.INPUT, shape=value.shape, type=value.type)
            if hub.static_shape(value) != hub.static_shape(image):
                raise UnsupportedError(f"{node.op_type} {node.name!r} reads values of different shapes", do="skip it")
            given.append(image)
    if image is None or len(node.outputs) != 1:
        raise UnsupportedError(f"{node.op_type} {node.name!r} has not one value in and out", do="skip it")
    stylized = ir.Value(name=hub.OUTPUT, shape=node.outputs[0].shape, type=node.outputs[0].type)
    copied = ir.Node("", node.op_type, given, node.attributes.values(), outputs=[stylized], name=node.name)
    opsets = {"": hub.OPSET}
    whole = ir.Graph([image], [stylized], nodes=[copied], initializers=constants, opset_imports=opsets, name="alone")
    return ir.Model(whole, ir_version=10)


def litert_steps(nodes: Sequence[ir.Node], *, threads: int | None, frames: int = FRAMES) -> tuple[Step, ...]:
    """The time of each node as a ``.tflite`` file of its own in LiteRT, on random values.

    That is a bound from above: inside the whole file it may be merged with a neighbour. A node that cannot stand alone is
    left out.
    """
    from ai_edge_litert.interpreter import Interpreter

    steps, random = [], np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
        for index, node in enumerate(nodes):
            path = Path(folder) / f"{index}.tflite"
            try:
                emitter("tflite").emit(alone(node), "fp32", Labels("alone"), path)
            except UnsupportedError:
                continue
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
            (entry,) = interpreter.get_input_details()
            interpreter.set_tensor(entry["index"], random.standard_normal(entry["shape"]).astype(np.float32))
            steps.append(Step(str(node.name), node.op_type, milliseconds(interpreter.invoke, frames=frames)))
            del interpreter
    return tuple(steps)
