"""Values too large for half precision are made smaller by a power of two, which the next weights or norm take back."""

import math
from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.fp16_audit import FP16_MAX, HEADROOM, Extent
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.fp16_region import NONE, SUMS, Region, is_constant_product, region_of

_NORMAL = 2.0**-14
"""The smallest fp16 number with all its digits."""
_LEAST_EPSILON = 2.0**-23
"""Twice the smallest fp16 number: an epsilon below may vanish, and a flat channel would be divided by nothing."""
_LARGEST_POWER = 15
"""The largest power of two that fp16 holds: what a node multiplies with."""


def scale_fp16_ranges(model: ir.Model, extents: Iterable[Extent]) -> dict[str, int]:
    """Scale what overflows fp16, or comes near. In place, and exact in every bit of float32.

    A product with a power of two changes no digit. A convolution is linear: with ``s·weight`` and ``s·bias`` it gives
    ``s·y``. ReLUs, pads, pools, shuffles and sums of values that all carry s give s times what they gave; a square
    gives s² times that, and the root of it s times again (:mod:`~pocketlens.converters.rewrites.fp16_region`). The next
    convolution takes s back with ``weight / s``; an instance norm needs nothing but ``epsilon · s²``, since
    ``(s·x - s·mean) / sqrt(s²·variance + s²·epsilon)`` is what it was.

    Where something on the way can carry no factor, values that fit are multiplied as they enter and leave: a node each.
    Values are made to fit with room to spare. For squares and sums, which overflow only on some devices, the factor
    goes no further than fp16 keeps the weights' digits and the epsilon, and no node is added; what is left the audit
    names.

    Args:
        model: The graph.
        extents: From :func:`pocketlens.converters.fp16_audit.audit` of this graph.

    Returns:
        For each node whose value is smaller now: n, where it was divided by ``2**n``.
    """
    sizes = _Sizes(extents)
    scaled: dict[str, int] = {}
    for node in tuple(model.graph):
        for start in [*node.outputs, node.inputs[0]] if node.op_type == "InstanceNormalization" else node.outputs:
            if start is None or not sizes.is_too_large(start):
                continue
            needy = (None, sizes.overflows) if sizes.overflows(start) else (None,)
            for needs in needy:
                region = region_of(start, needs)
                power = sizes.power(region) if region is not None else None
                if region is not None and power:
                    _scale(model, region, power)
                    scaled |= sizes.shrink(region, power)
                if power is not None:
                    break
    return {name: power for name, power in scaled.items() if power}


class _Sizes:
    """The largest magnitudes of each node, kept up to date while regions are scaled."""

    def __init__(self, extents: Iterable[Extent]) -> None:
        self._largest: dict[str, dict[str, float]] = {}
        for extent in extents:
            kinds = self._largest.setdefault(extent.node, {})
            kinds[extent.kind] = max(kinds.get(extent.kind, 0.0), extent.largest)

    def _kinds(self, node: ir.Node | None) -> dict[str, float]:
        return self._largest.get(str(node.name), {}) if node is not None else {}

    def overflows(self, value: ir.Value) -> bool:
        """Whether a value overflows fp16, or comes near; the image does not."""
        return _halvings(self._kinds(value.producer()).get("value", 0.0), FP16_MAX / HEADROOM) > 0

    def is_too_large(self, value: ir.Value) -> bool:
        """The same, or whether a sum or square of it does, or weights that make it."""
        return self._need(value) > 0 or self._wish(value) > 0

    def _need(self, value: ir.Value) -> int:
        maker = value.producer()
        values = _halvings(self._kinds(maker).get("value", 0.0), FP16_MAX / HEADROOM)
        weights = constant(maker.inputs[1]) if maker is not None and len(maker.inputs) > 1 else None
        is_weighted = maker is not None and (maker.op_type in hub.WEIGHTED_OPERATORS or is_constant_product(maker))
        if weights is None or not is_weighted or weights.dtype.kind != "f" or not weights.size:
            return values
        return max(values, _halvings(float(np.abs(weights).max()), FP16_MAX))

    def _wish(self, value: ir.Value) -> int:
        maker = value.producer()
        kinds = self._kinds(maker)
        wish = _halvings(kinds.get("accumulation", 0.0), FP16_MAX)
        if maker is not None and maker.op_type in ("ReduceMean", "GlobalAveragePool"):
            wish = max(wish, _halvings(kinds.get("sum", 0.0), FP16_MAX))
        for reader, index in value.uses():
            if reader.op_type == "InstanceNormalization" and index == 0:
                kinds = self._kinds(reader)
                squares = max(kinds.get("square", 0.0), kinds.get("squares", 0.0))  # they shrink twice as fast
                wish = max(wish, _halvings(kinds.get("sum", 0.0), FP16_MAX), -(-_halvings(squares, FP16_MAX) // 2))
        return wish

    def power(self, region: Region) -> int | None:
        """The n of the factors ``2**(-n * ratio)`` that a region needs, and may have; None if it cannot have them."""
        need = wish = 0
        limit = math.inf
        whole = math.lcm(*(ratio.denominator for ratio in (*region.ratios.values(), *region.needs.values())))
        for value in region.scaled():
            ratio = region.ratios[value]
            if ratio < 0:
                continue
            need = max(need, math.ceil(self._need(value) / ratio))
            wish = max(wish, math.ceil(self._wish(value) / ratio))
            maker = value.producer()
            if maker in region.edges and ratio == 1:
                limit = min(limit, _room_of_weights(maker))
            for reader, index in value.uses():
                if reader.op_type == "InstanceNormalization" and index == 0:
                    limit = min(limit, math.log2(hub.number(reader, "epsilon", 1e-5) / _LEAST_EPSILON) / 2)
        power = max(need, math.floor(max(min(wish, limit), 0)))
        power = -(-power // whole) * whole
        return None if self._breaks(region, power) else power

    def _breaks(self, region: Region, power: int) -> bool:
        """Whether something becomes too large for fp16 by it: a value, or a number that a node multiplies with."""
        for value in region.scaled():
            grown = self._kinds(value.producer()).get("value", 0.0) * 2.0 ** float(-power * region.ratios[value])
            if region.ratios[value] < 0 and grown > FP16_MAX / HEADROOM:
                return True
        steps = [region.ratios.get(value, NONE) - wanted for value, wanted in region.conversions()]
        steps += [region.ratios.get(_computed(node), NONE) for node in region.edges if is_constant_product(node)]
        return any(abs(step) * power > _LARGEST_POWER for step in steps)

    def shrink(self, region: Region, power: int) -> dict[str, int]:
        """Note that a region was scaled; by how much each of its nodes."""
        shrunk = {}
        for value in region.scaled():
            exponent = int(power * region.ratios[value])
            maker = value.producer()
            kinds = self._kinds(maker)
            for kind in ("value", "accumulation", *(() if maker in region.edges else ("sum",))):
                if kind in kinds:
                    kinds[kind] *= 2.0**-exponent
            for reader, index in value.uses():
                if reader.op_type == "InstanceNormalization" and index == 0:
                    for kind, times in (("square", 2), ("squares", 2), ("sum", 1)):
                        self._kinds(reader)[kind] = self._kinds(reader).get(kind, 0.0) * 2.0 ** (-exponent * times)
            if maker is not None:
                shrunk[str(maker.name)] = exponent
        return shrunk


def _halvings(largest: float, most: float) -> int:
    if not math.isfinite(largest):
        return 0
    return max(0, math.ceil(math.log2(largest / most))) if largest > most else 0


def _room_of_weights(node: ir.Node | None) -> float:
    """How often the weights can be halved before half of them lose digits in fp16."""
    weight = constant(node.inputs[1]) if node is not None and len(node.inputs) > 1 else None
    if weight is None:
        return 0.0
    sizes = np.abs(weight[weight != 0])
    return math.log2(float(np.median(sizes)) / _NORMAL) if sizes.size else math.inf


def _computed(node: ir.Node) -> ir.Value:
    return next(value for value in node.inputs if value is not None and constant(value) is None)


def _scale(model: ir.Model, region: Region, power: int) -> None:
    def stored(value: ir.Value | None) -> int:
        return int(power * region.ratios.get(value, NONE)) if value is not None else 0

    for node in region.edges:
        takes, gives = stored(_computed(node)), stored(node.outputs[0])
        if is_constant_product(node):
            index = 1 if node.inputs[0] is _computed(node) else 0
            _change(model, node, index, takes - gives if node.op_type == "Mul" else gives - takes)
            continue
        norm = node.op_type == "InstanceNormalization"
        _change(model, node, 1, -gives if norm else takes - gives)
        _change(model, node, 2, -gives)
        if norm:
            epsilon = hub.number(node, "epsilon", 1e-5) * 4.0**-takes
            node.attributes["epsilon"] = ir.AttrFloat32("epsilon", epsilon)
        elif node.op_type == "BatchNormalization":
            _change(model, node, 3, -takes)
    for value in region.scaled():
        maker = value.producer()
        if maker is not None and maker not in region.edges and maker.op_type in SUMS:
            for index in SUMS[maker.op_type] or range(len(maker.inputs)):
                _change(model, maker, index, -stored(value))
    for (value, wanted), readers in region.conversions().items():
        copy = _multiplied(model, value, stored(value) - int(power * wanted))
        for node, index in readers:
            node.replace_input_with(index, copy)


def _multiplied(model: ir.Model, value: ir.Value, exponent: int) -> ir.Value:
    """``value * 2**exponent``, in a node right behind the one that makes it."""
    name = f"{value.name}_fp16_{'up' if exponent > 0 else 'down'}{abs(exponent)}"
    factor = hub.add_constant(model, f"{name}_factor", np.array(2.0**exponent, np.float32))
    node = ir.node("Mul", [value, factor], name=name, outputs=[ir.Value(name=name)])
    node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
    maker = value.producer()
    if maker is None:
        model.graph.insert_before(model.graph[0], node)
    else:
        model.graph.insert_after(maker, node)
    return node.outputs[0]


def _change(model: ir.Model, node: ir.Node, index: int, exponent: int) -> None:
    """Multiply a constant input by ``2**exponent``; others stay."""
    value = node.inputs[index] if len(node.inputs) > index else None
    array = constant(value)
    if value is None or array is None or array.dtype.kind != "f" or not exponent:
        return
    scaled = (array.astype(np.float32) * np.float32(2.0**exponent)).astype(array.dtype)
    node.replace_input_with(index, edit.Editor(model, node).update_weight(value, scaled))
