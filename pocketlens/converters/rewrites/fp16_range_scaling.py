"""Values too large for half precision are made smaller by a power of two, which the next weights or norm take back."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.fp16_audit import FP16_MAX, HEADROOM, Extent
from pocketlens.converters.rewrites import edit

_PRODUCTS = ("Conv", "ConvTranspose")
_THROUGH = (
    "Abs", "AveragePool", "Concat", "DepthToSpace", "Flatten", "GlobalAveragePool", "GlobalMaxPool", "Identity",
    "LeakyRelu",
    "MaxPool", "Neg", "PRelu", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize",
    "Slice",
    "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
"""``f(s·x) = s·f(x)`` for every s > 0, of the first input (of all, for Concat); the other inputs are constants."""
_SUMS = ("Add", "Sub", "Max", "Min")
_NORMAL = 2.0**-14
"""The smallest fp16 number with all its digits."""
_LEAST_EPSILON = 2.0**-23
"""Twice the smallest fp16 number: an epsilon below may vanish, and a flat channel would be divided by nothing."""


@dataclass
class _Region:
    """Values that can only be scaled together."""

    values: set[ir.Value] = field(default_factory=set)
    inside: set[ir.Node] = field(default_factory=set)
    edges: set[ir.Node] = field(default_factory=set)
    """Nodes whose weights, scale or epsilon take the factor: those that make values of the region or only read them."""


def scale_fp16_ranges(model: ir.Model, extents: Iterable[Extent]) -> dict[str, int]:
    """Scale what overflows fp16, or comes near. In place, and exact in every bit of float32.

    A product with a power of two changes no digit. A convolution is linear: with ``s·weight`` and ``s·bias`` it gives
    ``s·y``. ReLUs, pads, pools, shuffles and sums of values that all carry s give s times what they gave. The next
    convolution takes s back with ``weight / s``; an instance norm needs nothing but ``epsilon · s²``, since
    ``(s·x - s·mean) / sqrt(s²·variance + s²·epsilon)`` is what it was.

    Values are made to fit with room to spare. For squares and sums, which overflow only on some devices, the factor
    goes no further than fp16 keeps the weights' digits and the epsilon; what is left the audit names.

    Args:
        model: The graph.
        extents: From :func:`pocketlens.converters.fp16_audit.audit` of this graph.

    Returns:
        For each node whose value is smaller now: n, where it was divided by ``2**n``.
    """
    largest: dict[str, dict[str, float]] = {}
    for extent in extents:
        kinds = largest.setdefault(extent.node, {})
        kinds[extent.kind] = max(kinds.get(extent.kind, 0.0), extent.largest)
    scaled: dict[str, int] = {}
    seen: set[ir.Value] = set()
    for node in tuple(model.graph):
        value = node.outputs[0]
        if node.graph is None or node.op_type not in (*_PRODUCTS, "InstanceNormalization") or value in seen:
            continue
        region = _region(value)
        if region is None:
            continue
        seen |= region.values
        power = _power(region, largest)
        if power:
            _scale(model, region, 2.0**-power)
            makers = {value.producer() for value in region.values}
            scaled |= {str(maker.name): power for maker in makers if maker is not None}
    return scaled


def _region(start: ir.Value) -> _Region | None:
    """Everything that must carry the factor of a value; None if something cannot."""
    region, todo = _Region(), [start]
    while todo:
        value = todo.pop()
        if value in region.values:
            continue
        region.values.add(value)
        maker = value.producer()
        if maker is None or value.is_graph_output() or maker.domain:
            return None
        for node in {maker, *(reader for reader, _ in value.uses())}:
            more = _joined(node, value, is_produced=node is maker)
            if more is None:
                return None
            (region.edges if node.op_type in (*_PRODUCTS, "InstanceNormalization") else region.inside).add(node)
            todo += more
    return region


def _joined(node: ir.Node, value: ir.Value, is_produced: bool) -> list[ir.Value] | None:
    """The values that a node forces into the region of ``value``; None if it does not let the factor through."""
    computed = [v for v in node.inputs if v is not None and v.name and constant(v) is None]
    if node.domain:
        return None
    if node.op_type in (*_PRODUCTS, "InstanceNormalization"):
        fixed = all(v is node.inputs[0] for v in computed)  # its weights are constants
        return [] if fixed and (is_produced or node.inputs[0] is value) else None
    if node.op_type == "Pad" and (hub.text(node, "mode", "constant") != "constant" or _pads_zeros(node)):
        return [*computed, *node.outputs]
    if node.op_type in _SUMS or node.op_type == "Concat":
        if node.op_type == "Concat" and len(computed) < len(node.inputs):
            return None
        return [*computed, *node.outputs]
    if node.op_type in _THROUGH and len(computed) == 1 and node.inputs[0] is computed[0]:
        return [*computed, *node.outputs]
    if len(computed) == 1 and (node.op_type == "Mul" or (node.op_type == "Div" and node.inputs[0] is computed[0])):
        return [*computed, *node.outputs]
    return None


def _pads_zeros(node: ir.Node) -> bool:
    return len(node.inputs) < 3 or node.inputs[2] is None or edit.constant_scalar(node.inputs[2]) == 0


def _power(region: _Region, largest: Mapping[str, Mapping[str, float]]) -> int:
    """The n of the factor ``2**-n`` that the region needs, and may have."""
    need = may = 0
    limit = math.inf
    for value in region.values:
        maker = value.producer()
        assert maker is not None
        kinds = largest.get(str(maker.name), {})
        need = max(need, _halvings(kinds.get("value", 0.0), FP16_MAX / HEADROOM))
        may = max(may, _halvings(kinds.get("accumulation", 0.0), FP16_MAX))
        if maker.op_type in ("ReduceMean", "GlobalAveragePool"):
            may = max(may, _halvings(kinds.get("sum", 0.0), FP16_MAX))
    for node in region.edges:
        if node.outputs[0] in region.values:
            limit = min(limit, _room_of_weights(node))
        if node.op_type == "InstanceNormalization" and node.inputs[0] in region.values:
            kinds = largest.get(str(node.name), {})
            squares = max(kinds.get("square", 0.0), kinds.get("squares", 0.0))  # they shrink twice as fast
            may = max(may, _halvings(kinds.get("sum", 0.0), FP16_MAX), -(-_halvings(squares, FP16_MAX) // 2))
            limit = min(limit, math.log2(hub.number(node, "epsilon", 1e-5) / _LEAST_EPSILON) / 2)
    return max(need, min(may, math.floor(max(limit, 0))))


def _halvings(largest: float, most: float) -> int:
    if not math.isfinite(largest):
        return 0
    return max(0, math.ceil(math.log2(largest / most))) if largest > most else 0


def _room_of_weights(node: ir.Node) -> float:
    """How often the weights can be halved before half of them lose digits in fp16."""
    weight = constant(node.inputs[1])
    if weight is None:
        return 0.0
    sizes = np.abs(weight[weight != 0])
    return math.log2(float(np.median(sizes)) / _NORMAL) if sizes.size else math.inf


def _scale(model: ir.Model, region: _Region, factor: float) -> None:
    for node in region.edges:
        gives, takes = node.outputs[0] in region.values, node.inputs[0] in region.values
        after = factor if gives else 1.0
        if node.op_type == "InstanceNormalization":
            _change(model, node, 1, after)
            if takes:
                epsilon = hub.number(node, "epsilon", 1e-5) * factor**2
                node.attributes["epsilon"] = ir.AttrFloat32("epsilon", epsilon)
        else:
            _change(model, node, 1, after / (factor if takes else 1.0))
        _change(model, node, 2, after)
    for node in region.inside:
        if node.op_type in _SUMS:
            for index in range(len(node.inputs)):
                _change(model, node, index, factor)


def _change(model: ir.Model, node: ir.Node, index: int, factor: float) -> None:
    value = node.inputs[index] if len(node.inputs) > index else None
    array = constant(value)
    if value is None or array is None or factor == 1.0:
        return
    scaled = (array.astype(np.float32) * np.float32(factor)).astype(array.dtype)
    node.replace_input_with(index, edit.Editor(model, node).update_weight(value, scaled))
