"""Ranges that quantization-aware training found, written into the graph as quantizers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import insert
from pocketlens.converters.quantization.calibrate import Statistics
from pocketlens.converters.quantization.plan import Plan, Rule, candidates
from pocketlens.errors import InputError
from pocketlens.targets import QuantizerPlacement

PLACEMENT = QuantizerPlacement(pair_sums=True)
"""What training rounds: inputs and weights, on the grid that every processor adds up without clipping."""
_ALIKE = 0.9999
_MOVES = ("Cast", "Concat", "Gather", "Identity", "Pad", "Reshape", "Slice", "SpaceToDepth", "Transpose")


@dataclass(frozen=True)
class Trained:
    """A convolution that was trained through rounding.

    Attributes:
        name: In its module, for messages.
        weight: ``[out, in, height, width]``, or ``[in, out, height, width]`` of a transposed one.
        transposed: Whether it is one.
        span: The range of what it takes.
    """

    name: str
    weight: NDArray[np.float32]
    transposed: bool
    span: tuple[float, float]


def quantize_trained(
    model: ir.Model,
    layers: Sequence[Trained],
    picture: tuple[float, float] = (0.0, 255.0),
    *,
    dynamic_ranges: bool = False,
) -> ir.Model:
    """A copy of a graph with the quantizers that training found.

    A layer is found by the directions of its channels' weights, which neither the graph's names nor a folded norm change.

    Args:
        model: The graph as it was exported: rewrites that change weights come later, or never.
        layers: Every convolution that was trained; others stay float.
        picture: The range of the module's pictures: the graph's are 0..255, and what reads them as they are has its range in that.
        dynamic_ranges: For a runtime that finds ranges itself, picture by picture: the trained ones are what it is cut off to before.

    Raises:
        InputError: A layer's weights are not in the graph.
    """
    made = model.clone()
    spans: dict[str, tuple[float, float]] = {}
    free, chosen = list(candidates(made)), []
    for layer in layers:
        node = next((one for one in free if _same(one, layer)), None)
        if node is None:
            raise InputError(
                f"the graph holds no convolution with the weights of {layer.name!r}",
                do="train the student again, or build it without int8",
            )
        free.remove(node)
        chosen.append(node)
        taken = str(node.inputs[0].name)  # type: ignore[union-attr]
        least, most = layer.span
        if _is_picture(node.inputs[0]):
            least, most = ((end - picture[0]) * 255 / (picture[1] - picture[0]) for end in layer.span)
        low, high = spans.get(taken, (least, most))
        spans[taken] = (min(low, least), max(high, most))
    none = np.zeros(0)
    found = {
        name: Statistics(np.array([low]), np.array([high]), none, none, none) for name, (low, high) in spans.items()
    }
    for index, node in enumerate(made.graph):
        node.name = node.name or f"node_{index}"
    names = "|".join(f"^{re.escape(str(node.name))}$" for node in chosen)
    plan = Plan((Rule(names, "int8"),), "minmax", 0.0, False)
    insert.insert(made, plan, found, replace(PLACEMENT, dynamic_ranges=dynamic_ranges), is_trained=True)
    hub.check(made)
    return made


def _is_picture(value: ir.Value | None) -> bool:
    """Whether a value holds the graph's pixels as they are, at most moved."""
    while value is not None and (node := value.producer()) is not None:
        if node.op_type not in _MOVES:
            return False
        value = node.inputs[0]
    return value is not None and value.is_graph_input()


def _same(node: ir.Node, layer: Trained) -> bool:
    weight = constant(node.inputs[1])
    transposed = node.op_type == "ConvTranspose"
    if weight is None or node.op_type not in ("Conv", "ConvTranspose") or transposed != layer.transposed:
        return False
    if weight.shape != layer.weight.shape:
        return False
    axis = hub.output_axis(node)
    ours, theirs = (
        np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1).astype(np.float64) for w in (weight, layer.weight)
    )
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    alike = np.abs((ours * theirs).sum(1)) >= _ALIKE * lengths
    return bool(alike.all())
