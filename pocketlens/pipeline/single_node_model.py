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
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.targets import TARGETS


def single_node_model(node: ir.Node) -> ir.Model:
    """A graph of this node. Values that it reads become one input if they have one shape, constants stay.

    Raises:
        UnsupportedError: It reads values of different shapes.
    """
    image: ir.Value | None = None
    inputs: list[ir.Value | None] = []
    constants = []
    for value in node.inputs:
        if value is None or not value.name:
            inputs.append(None)
        elif value.const_value is not None:
            copy = ir.Value(name=value.name, const_value=value.const_value, shape=value.shape, type=value.type)
            constants.append(copy)
            inputs.append(copy)
        else:
            image = image or ir.Value(name=hub.INPUT, shape=value.shape, type=value.type)
            if hub.static_shape(value) != hub.static_shape(image):
                raise UnsupportedError(f"{node.op_type} {node.name!r} reads values of different shapes", do="skip it")
            inputs.append(image)
    if image is None or len(node.outputs) != 1:
        raise UnsupportedError(f"{node.op_type} {node.name!r} has not one value in and out", do="skip it")
    output = ir.Value(name=hub.OUTPUT, shape=node.outputs[0].shape, type=node.outputs[0].type)
    copied = ir.Node("", node.op_type, inputs, node.attributes.values(), outputs=[output], name=node.name)
    graph = ir.Graph(
        [image], [output], nodes=[copied], initializers=constants, opset_imports={"": hub.OPSET}, name="single-node"
    )
    return ir.Model(graph, ir_version=10)


def time_single_nodes(
    nodes: Sequence[ir.Node], target: str, runtime: str, *, threads: int | None, frames: int = FRAMES
) -> tuple[Step, ...]:
    """The time of each node as a file of its own in a runtime, on random values.

    That is a bound from above: inside the whole file it may be merged with a neighbour. A node that cannot be a file of
        its own
    is left out.
    """
    steps, random = [], np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
        for index, node in enumerate(nodes):
            path = Path(folder) / f"{index}{TARGETS[target].suffix}"
            try:
                emitter(target).emit(single_node_model(node), "fp32", Labels("single-node"), path)
            except UnsupportedError:
                continue
            player = RUNTIMES[runtime].open(path, Options(threads=threads))
            player.feed(0)[...] = random.standard_normal(player.inputs[0].shape)
            steps.append(Step(str(node.name), node.op_type, milliseconds(player.run, frames=frames)))
            player.close()
    return tuple(steps)
