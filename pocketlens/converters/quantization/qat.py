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
from pocketlens.converters.quantization.calibrate import ActivationStatistics
from pocketlens.converters.quantization.plan import Plan, PlanRule, candidates
from pocketlens.errors import InputError
from pocketlens.targets import QuantizerPlacement

PLACEMENT = QuantizerPlacement(pair_sums=True)
"""What training rounds: inputs and weights, on the grid that every processor adds up without clipping."""
_MIN_COSINE = 0.9999
_MOVES = ("Cast", "Concat", "Gather", "Identity", "Pad", "Reshape", "Slice", "SpaceToDepth", "Transpose")


@dataclass(frozen=True)
class TrainedConv:
    """A convolution that was trained through rounding.

    Attributes:
        name: In its module, for messages.
        weight: ``[out, in, height, width]``, or ``[in, out, height, width]`` of a transposed one.
        is_transposed: Whether it is a transposed one.
        input_range: The least and largest value of its input, as training found them.
    """

    name: str
    weight: NDArray[np.float32]
    is_transposed: bool
    input_range: tuple[float, float]


def insert_qat_quantizers(
    model: ir.Model,
    layers: Sequence[TrainedConv],
    pixel_range: tuple[float, float] = (0.0, 255.0),
    *,
    dynamic_ranges: bool = False,
) -> ir.Model:
    """A copy of a graph with the quantizers that training found.

    A layer is found by the directions of its channels' weights, which neither the graph's names nor a folded norm
    change.

    Args:
        model: The graph as it was exported: rewrites that change weights come later, or never.
        layers: Every convolution that was trained; others stay float.
        pixel_range: The range of the module's pictures: the graph's are 0..255, and the range of a layer that reads
            them as they are is brought to that.
        dynamic_ranges: For a runtime that finds ranges itself, picture by picture: values are clipped to the trained
            ranges before.

    Raises:
        InputError: A layer's weights are not in the graph.
    """
    quantized = model.clone()
    ranges: dict[str, tuple[float, float]] = {}
    unmatched, trained = list(candidates(quantized)), []
    for layer in layers:
        node = next((node for node in unmatched if _has_weights_of(node, layer)), None)
        if node is None:
            raise InputError(
                f"the graph holds no convolution with the weights of {layer.name!r}",
                do="train the student again, or build it without int8",
            )
        unmatched.remove(node)
        trained.append(node)
        source = str(node.inputs[0].name)  # type: ignore[union-attr]
        least, most = layer.input_range
        if _is_picture(node.inputs[0]):
            black, white = pixel_range
            least, most = ((end - black) * 255 / (white - black) for end in layer.input_range)
        low, high = ranges.get(source, (least, most))
        ranges[source] = (min(low, least), max(high, most))
    empty = np.zeros(0)
    statistics = {
        name: ActivationStatistics(np.array([low]), np.array([high]), empty, empty, empty)
        for name, (low, high) in ranges.items()
    }
    for index, node in enumerate(quantized.graph):
        node.name = node.name or f"node_{index}"
    rules = tuple(PlanRule(f"^{re.escape(str(node.name))}$", "int8") for node in trained)
    plan = Plan(rules, "minmax", 0.0, False)
    placement = replace(PLACEMENT, dynamic_ranges=dynamic_ranges)
    insert.insert_quantizers(quantized, plan, statistics, placement, is_trained=True)
    hub.check(quantized)
    return quantized


def _is_picture(value: ir.Value | None) -> bool:
    """Whether a value holds the graph's pixels as they are, at most moved."""
    while value is not None and (node := value.producer()) is not None:
        if node.op_type not in _MOVES:
            return False
        value = node.inputs[0]
    return value is not None and value.is_graph_input()


def _has_weights_of(node: ir.Node, layer: TrainedConv) -> bool:
    weight = constant(node.inputs[1])
    is_transposed = node.op_type == "ConvTranspose"
    if weight is None or node.op_type not in ("Conv", "ConvTranspose") or is_transposed != layer.is_transposed:
        return False
    if weight.shape != layer.weight.shape:
        return False
    axis = hub.output_axis(node)
    ours, theirs = (
        np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1).astype(np.float64) for w in (weight, layer.weight)
    )
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    is_same = np.abs((ours * theirs).sum(1)) >= _MIN_COSINE * lengths
    return bool(is_same.all())
