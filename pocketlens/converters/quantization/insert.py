"""QuantizeLinear and DequantizeLinear, written into the graph where a plan says so.

Weights are int8, symmetric, a scale for each output channel; activations have one range a value. Where a convolution's
output goes to a norm or any other float operator it stays float, unless the runtime's kernel must round it (``outputs``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.calibrate import Statistics
from pocketlens.converters.quantization.plan import Plan
from pocketlens.errors import InputError
from pocketlens.targets import QuantizerPlacement

SIXTEEN_OPSET = 21
MOST_LEVELS = {8: 255, 16: 65535}
WORTH_CUTTING = 0.9
"""Share of the whole range under which cutting values off is worth an operator."""


@dataclass(frozen=True)
class Quantizer:
    """How a value's numbers become integers: ``round(x / scale) + zero``."""

    scale: float
    zero: int
    bits: int

    @classmethod
    def of(cls, low: float, high: float, bits: int) -> "Quantizer":
        """Unsigned integers over a range that holds 0.

        Example:
            >>> Quantizer.of(0, 255, 8)
            Quantizer(scale=1.0, zero=0, bits=8)
        """
        levels = MOST_LEVELS[bits]
        scale = float(np.float32(max(high - low, 1e-12) / levels))
        return cls(scale, int(np.clip(round(-low / scale), 0, levels)), bits)


def taps(model: ir.Model, plan: Plan, placement: QuantizerPlacement) -> list[str]:
    """The values whose ranges a plan needs."""
    found = []
    for node, _ in plans.chosen(model, plan):
        found.append(str(node.inputs[0].name))  # type: ignore[union-attr]
        if placement.outputs:
            found.append(str(rounded_output(node).name))
    return list(dict.fromkeys(found))


def rounded_output(node: ir.Node) -> ir.Value:
    """The value that is rounded behind a convolution: behind its Relu, if that alone reads it."""
    value = node.outputs[0]
    readers = [reader for reader, _ in value.uses()]
    if len(readers) == 1 and readers[0].op_type == "Relu" and not value.is_graph_output():
        return readers[0].outputs[0]
    return value


def insert(
    model: ir.Model,
    plan: Plan,
    statistics: Mapping[str, Statistics],
    placement: QuantizerPlacement,
    *,
    is_trained: bool = False,
) -> int:
    """Quantize a graph in place.

    Args:
        model: The graph.
        plan: What is quantized.
        statistics: Of every value of :func:`taps`.
        placement: Where the runtime's kernels want values rounded.
        is_trained: The ranges were trained: where the runtime finds ranges itself, all that lies outside of the trained ones is
            cut off before, however little that is.

    Returns:
        How many nodes compute in integers now.
    """
    nodes = plans.chosen(model, plan)
    if any(setting == "int8-a16" for _, setting in nodes):
        _allow_sixteen(model)
    writer = _Writer(model)
    coded: dict[tuple[str, int], ir.Value] = {}
    quantizers = {}
    for node, setting in nodes:
        source = node.inputs[0]
        assert source is not None
        bits = 16 if setting == "int8-a16" else 8
        key = (str(source.name), bits)
        quantizers[node] = _quantizer(source, statistics, plan, bits)
        if key not in coded:
            coded[key] = (
                writer.round_anew(source, _limits(source, statistics, plan, is_trained))
                if placement.dynamic_ranges
                else writer.round(source, quantizers[node], node)
            )
        weight_scale = _write_weight(writer, node, placement.pair_sums and bits == 8)
        if placement.biases and len(node.inputs) > 2 and node.inputs[2] is not None:
            _write_bias(writer, node, quantizers[node].scale * weight_scale)
    for node, setting in nodes:
        bits = 16 if setting == "int8-a16" else 8
        source = node.inputs[0]
        if placement.outputs:
            value = rounded_output(node)
            if (str(value.name), bits) not in coded:
                quantizer = _quantizer(value, statistics, plan, bits)
                coded[str(value.name), bits] = writer.round(value, quantizer, None)
                _read_instead(value, coded[str(value.name), bits])
        node.replace_input_with(0, coded[str(source.name), bits])  # type: ignore[union-attr]
    model.graph.sort()
    common.RemoveUnusedNodesPass()(model)  # the weights as floats, which nobody reads any more
    return len(nodes)


def _allow_sixteen(model: ir.Model) -> None:
    """Raise the operator set to the first whose QuantizeLinear knows 16 bits; only group norms mean something else there."""
    norm = next((node for node in model.graph if node.op_type == "GroupNormalization"), None)
    if norm is not None:
        raise InputError(
            f"16-bit activations and GroupNormalization {norm.name!r} are of different operator sets", do="use int8"
        )
    model.graph.opset_imports[""] = max(SIXTEEN_OPSET, model.graph.opset_imports.get("", 0))


def _read_instead(value: ir.Value, rounded: ir.Value) -> None:
    rounder = rounded.producer().inputs[0].producer()  # type: ignore[union-attr]
    for reader, index in tuple(value.uses()):
        if reader is not rounder:
            reader.replace_input_with(index, rounded)


def _quantizer(value: ir.Value, statistics: Mapping[str, Statistics], plan: Plan, bits: int) -> Quantizer:
    if value.name == hub.INPUT:
        return Quantizer.of(
            0.0, 255.0 if bits == 8 else 255.99609375, bits
        )  # pixels are whole numbers: nothing is lost
    return Quantizer.of(*statistics[str(value.name)].range(plan.ranges, 1 << bits), bits)


def _limits(value: ir.Value, statistics: Mapping[str, Statistics], plan: Plan, is_trained: bool) -> list[float | None]:
    """What a value is cut off to, below and above, before its range is found anew; nothing where next to nothing is cut."""
    if value.name == hub.INPUT:
        return []
    found = statistics[str(value.name)]
    if is_trained:
        return list(found.range("minmax"))
    (low, high), (least, most) = found.range(plan.ranges), found.range("minmax")
    if high - low > WORTH_CUTTING * (most - least):
        return []
    return [low if low > least else None, high if high < most else None]


def weight_scales(weight: NDArray[np.float32], axis: int, pairs: bool) -> NDArray[np.float32]:
    """The scale of each output channel, ``float32 [channels]``.

    With ``pairs``, two neighbouring weights of one sign add up to 128 at most. Processors with AVX2 but no VNNI add two
    products of bytes in 16 bits, and 255 · 128 fits while 255 · 254 is clipped. The usual cure halves all weights, which
    costs 6 dB; this costs 2 to 3.
    """
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
    scale = np.abs(rows).max(1) / 127
    if pairs and weight.ndim == 4:
        inner = np.moveaxis(weight, axis, 0)  # [out, in, height, width]: kernels pair neighbouring inputs
        inner = inner.transpose(0, 2, 3, 1).reshape(inner.shape[0], -1)
        inner = np.pad(inner, ((0, 0), (0, inner.shape[1] % 2))).reshape(inner.shape[0], -1, 2)
        for sign in (1, -1):
            scale = np.maximum(scale, np.clip(sign * inner, 0, None).sum(2).max(1) / 128)
    return np.where(scale > 0, scale, 1.0).astype(np.float32)


def round_weight(weight: NDArray[np.float32], scale: NDArray[np.float32], axis: int) -> NDArray[np.int8]:
    """The weights as integers."""
    shape = [1] * weight.ndim
    shape[axis] = -1
    integers: NDArray[np.int8] = np.clip(np.rint(weight / scale.reshape(shape)), -127, 127).astype(np.int8)
    return integers


def _write_weight(writer: "_Writer", node: ir.Node, pairs: bool) -> NDArray[np.float32]:
    array = constant(node.inputs[1])
    assert array is not None
    axis = hub.output_axis(node)
    scale = weight_scales(array.astype(np.float32), axis, pairs)
    integers = round_weight(array.astype(np.float32), scale, axis)
    node.replace_input_with(1, writer.widen(str(node.inputs[1].name), integers, scale, axis, node))  # type: ignore[union-attr]
    return scale


def _write_bias(writer: "_Writer", node: ir.Node, scale: NDArray[np.float32]) -> None:
    array = constant(node.inputs[2])
    if array is None:
        return
    scale = np.tile(scale, array.size // scale.size)  # the groups of a ConvTranspose share their scales
    most = float(np.iinfo(np.int32).max)
    integers = np.clip(np.rint(array / scale.astype(np.float64)), -most, most).astype(np.int32)
    node.replace_input_with(2, writer.widen(str(node.inputs[2].name), integers, scale, 0, node))  # type: ignore[union-attr]


class _Writer:
    def __init__(self, model: ir.Model) -> None:
        self._model = model

    def round(self, value: ir.Value, quantizer: Quantizer, before: ir.Node | None) -> ir.Value:
        """QuantizeLinear and DequantizeLinear of a value; what it reads is not changed yet."""
        kind = np.uint8 if quantizer.bits == 8 else np.uint16
        scale = hub.add_constant(self._model, f"{value.name}_scale", np.array(quantizer.scale, np.float32))
        zero = hub.add_constant(self._model, f"{value.name}_zero", np.array(quantizer.zero, kind))
        coded = self._add(
            "QuantizeLinear",
            [value, scale, zero],
            f"{value.name}_q",
            ir.DataType.from_numpy(np.dtype(kind)),
            value.shape,
        )
        return self._add("DequantizeLinear", [coded, scale, zero], f"{value.name}_dq", ir.DataType.FLOAT, value.shape)

    def round_anew(self, value: ir.Value, limits: Sequence[float | None]) -> ir.Value:
        """DynamicQuantizeLinear and DequantizeLinear of a value, cut off before where there are limits."""
        if limits:
            ends = [
                None
                if limit is None
                else hub.add_constant(self._model, f"{value.name}_limit", np.array(limit, np.float32))
                for limit in limits
            ]
            value = self._add("Clip", [value, *ends], f"{value.name}_cut", ir.DataType.FLOAT, value.shape)
        kinds = (("q", ir.DataType.UINT8, value.shape), ("scale", ir.DataType.FLOAT, ir.Shape(())))
        outputs = [
            ir.Value(name=f"{value.name}_{end}", shape=shape, type=ir.TensorType(kind))
            for end, kind, shape in (*kinds, ("zero", ir.DataType.UINT8, ir.Shape(())))
        ]
        self._model.graph.append(ir.node("DynamicQuantizeLinear", [value], outputs=outputs, name=f"{value.name}_q"))
        return self._add("DequantizeLinear", outputs, f"{value.name}_dq", ir.DataType.FLOAT, value.shape)

    def widen(
        self, name: str, integers: NDArray[np.generic], scale: NDArray[np.float32], axis: int, before: ir.Node
    ) -> ir.Value:
        """Constants as integers behind a DequantizeLinear."""
        stored = hub.add_constant(self._model, f"{name}_int", integers)
        scales = hub.add_constant(self._model, f"{name}_scale", scale)
        return self._add(
            "DequantizeLinear", [stored, scales], f"{name}_dq", ir.DataType.FLOAT, stored.shape, {"axis": axis}
        )

    def _add(
        self,
        operator: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        dtype: ir.DataType,
        shape: ir.Shape | None,
        attributes: dict[str, int] | None = None,
    ) -> ir.Value:
        node = ir.node(operator, inputs, attributes or {}, outputs=[ir.Value(name=name, shape=shape)], name=name)
        node.outputs[0].dtype = dtype
        self._model.graph.append(node)
        return node.outputs[0]
