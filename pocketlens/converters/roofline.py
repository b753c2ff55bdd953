"""The estimated time of each layer of the graph, by a simple roofline model (Williams, Waterman, Patterson 2009).

``time = max(multiply-adds / rate, bytes / bandwidth)``: a layer is limited by what it computes or by what it moves.
Bytes are those of every input, weight and output, four each, as if no layer kept anything for the next. The model knows
nothing of caches, of merged layers, or of kernels that reach less than the rate: it ranks layers, and says which limit
is near.
"""

import math
from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant

VIEWS = ("Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten")
"""Operators that move nothing."""
_BYTES = 4


@dataclass(frozen=True)
class Machine:
    """The two limits of the model.

    The defaults stand for two big cores of a phone in fp32: 2 cores x 8 multiply-adds a cycle x 2.4 GHz, half of it
    reached, and half of the 20 GB/s that such a phone's memory gives.

    Attributes:
        gmacs: Multiply-adds a second, in 10⁹.
        gbytes: Bytes a second to and from memory, in 10⁹.
    """

    gmacs: float = 20.0
    gbytes: float = 10.0


@dataclass(frozen=True)
class LayerCost:
    """One node and its estimated cost.

    Attributes:
        name: Of the node.
        operator: Of ONNX.
        shape: Of its first output.
        kernel: Height and width of a convolution's weights; empty for others.
        macs: Multiply-adds of one picture.
        bytes: Read and written for one picture, in float32.
        ms: Estimated.
        limit: ``"compute"`` or ``"memory"``, whichever takes longer.
    """

    name: str
    operator: str
    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    macs: int
    bytes: int
    ms: float
    limit: str


def layer_costs(model: ir.Model, machine: Machine) -> list[LayerCost]:
    """The cost of every node of a graph, in order."""
    return [_layer(node, machine) for node in model.graph]


def total_ms(costs: list[LayerCost]) -> float:
    """The estimated time of one picture."""
    return sum(layer.ms for layer in costs)


def _layer(node: ir.Node, machine: Machine) -> LayerCost:
    macs, moved = hub.node_macs(node), 0 if node.op_type in VIEWS else _moved(node)
    compute, memory = macs / machine.gmacs / 1e6, moved / machine.gbytes / 1e6
    weight = constant(node.inputs[1]) if node.op_type in ("Conv", "ConvTranspose") else None
    return LayerCost(
        name=node.name or "",
        operator=node.op_type,
        shape=hub.static_shape(node.outputs[0]),
        kernel=() if weight is None else weight.shape[2:],
        macs=macs,
        bytes=moved,
        ms=max(compute, memory),
        limit="compute" if compute >= memory else "memory",
    )


def _moved(node: ir.Node) -> int:
    values = [*node.inputs, *node.outputs]
    return _BYTES * sum(math.prod(hub.static_shape(value)) for value in values if value is not None and value.name)
