"""QuantizeLinear and DequantizeLinear, written into the graph where a plan says so.

Weights are int8, symmetric, a scale for each output channel; activations have one range a value. Where a convolution's
output goes to a norm or any other float operator it stays float, unless the runtime's kernel must round it
(``outputs``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.calibrate import ActivationStatistics
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.quantization.products import is_product
from pocketlens.converters.quantization.qparams import (
    MAX_LEVELS,
    ActivationQParams,
    choose_qparams_absmax,
    choose_qparams_affine,
    quantize_affine,
)
from pocketlens.errors import InputError
from pocketlens.targets import QuantizerPlacement

INT16_OPSET = 21
"""The first operator set whose QuantizeLinear knows 16 bits."""
MAX_CLIPPED_RANGE = 0.9
"""Share of the whole range under which cutting values off is worth an operator."""


def values_to_calibrate(model: ir.Model, plan: Plan, placement: QuantizerPlacement) -> list[str]:
    """The values whose ranges a plan needs."""
    names = []
    for node, _ in plans.quantized_nodes(model, plan):
        names.append(str(node.inputs[0].name))  # type: ignore[union-attr]
        if placement.outputs:  # another plan may round what is a product in this one
            names.append(str(quantized_output(node).name))
    return list(dict.fromkeys(names))


def rounds_output(node: ir.Node, setting: str, placement: QuantizerPlacement) -> bool:
    """Whether the runtime's kernel for a quantized node rounds its output."""
    return placement.outputs and not _is_product(node, setting, placement)


def _is_product(node: ir.Node, setting: str, placement: QuantizerPlacement) -> bool:
    return placement.products and _activation_bits(setting) == 8 and is_product(node)


def quantized_output(node: ir.Node) -> ir.Value:
    """The value that is quantized behind a convolution: the output of its Relu, if only that reads the convolution."""
    value = node.outputs[0]
    readers = [reader for reader, _ in value.uses()]
    if len(readers) == 1 and readers[0].op_type == "Relu" and not value.is_graph_output():
        return readers[0].outputs[0]
    return value


def insert_quantizers(
    model: ir.Model,
    plan: Plan,
    statistics: Mapping[str, ActivationStatistics],
    placement: QuantizerPlacement,
    *,
    is_trained: bool = False,
) -> int:
    """Quantize a graph in place.

    Args:
        model: The graph.
        plan: What is quantized.
        statistics: Of every value of :func:`values_to_calibrate`.
        placement: Where the runtime's kernels want values rounded.
        is_trained: The ranges were trained: where the runtime finds ranges itself, all that lies outside of the trained
            ones is cut off before, however little that is.

    Returns:
        How many nodes compute in integers now.
    """
    nodes = plans.quantized_nodes(model, plan)
    if any(setting == "int8-a16" for _, setting in nodes):
        allow_16_bits(model)
    writer = QuantizerWriter(model)
    dequantized: dict[tuple[str, int], ir.Value] = {}
    input_qparams, keys = {}, {}
    for node, setting in nodes:
        source = node.inputs[0]
        assert source is not None
        bits = _activation_bits(setting)
        keys[node] = key = (str(source.name), bits)
        input_qparams[node] = _choose_qparams(source, statistics, plan, bits)
        if key not in dequantized:
            dequantized[key] = (
                writer.quantize_dynamically(source, _clip_limits(source, statistics, plan, is_trained))
                if placement.dynamic_ranges
                else writer.quantize(source, input_qparams[node])
            )
        weight_scale = quantize_weight(writer, node, placement.pair_sums and bits == 8)
        is_summed = placement.biases and not _is_product(node, setting, placement)
        if is_summed and len(node.inputs) > 2 and node.inputs[2] is not None:
            quantize_bias(writer, node, input_qparams[node].scale * weight_scale)
    for node, setting in nodes:
        bits = _activation_bits(setting)
        if rounds_output(node, setting, placement):
            value = quantized_output(node)
            if (str(value.name), bits) not in dequantized:
                qparams = _choose_qparams(value, statistics, plan, bits)
                dequantized[str(value.name), bits] = writer.quantize(value, qparams)
                _read_instead(value, dequantized[str(value.name), bits])
        node.replace_input_with(0, dequantized[keys[node]])
    model.graph.sort()
    common.RemoveUnusedNodesPass()(model)  # the weights as floats, which nobody reads any more
    return len(nodes)


def _activation_bits(setting: str) -> int:
    return 16 if setting == "int8-a16" else 8


def allow_16_bits(model: ir.Model) -> None:
    """Raise the operator set to the first whose QuantizeLinear knows 16 bits; only group norms mean something else
    there.
    """
    norm = next((node for node in model.graph if node.op_type == "GroupNormalization"), None)
    if norm is not None:
        raise InputError(
            f"16-bit activations and GroupNormalization {norm.name!r} are of different operator sets", do="use int8"
        )
    model.graph.opset_imports[""] = max(INT16_OPSET, model.graph.opset_imports.get("", 0))


def _read_instead(value: ir.Value, dequantized: ir.Value) -> None:
    quantizer = dequantized.producer().inputs[0].producer()  # type: ignore[union-attr]
    for reader, index in tuple(value.uses()):
        if reader is not quantizer:
            reader.replace_input_with(index, dequantized)


def _choose_qparams(
    value: ir.Value, statistics: Mapping[str, ActivationStatistics], plan: Plan, bits: int
) -> ActivationQParams:
    if value.name == hub.INPUT:
        return choose_qparams_affine(
            0.0, 255.0 if bits == 8 else 255.99609375, bits
        )  # pixels are whole numbers: nothing is lost
    return choose_qparams_affine(*statistics[str(value.name)].range(plan.ranges, 1 << bits), bits)


def _clip_limits(
    value: ir.Value, statistics: Mapping[str, ActivationStatistics], plan: Plan, is_trained: bool
) -> list[float | None]:
    """The limits that a value is clipped to before the runtime finds its range; none if almost nothing is cut."""
    if value.name == hub.INPUT:
        return []
    of_value = statistics[str(value.name)]
    if is_trained:
        return list(of_value.range("minmax"))
    (low, high), (least, most) = of_value.range(plan.ranges), of_value.range("minmax")
    if high - low > MAX_CLIPPED_RANGE * (most - least):
        return []
    return [low if low > least else None, high if high < most else None]


def quantize_weight(writer: "QuantizerWriter", node: ir.Node, pair_sums: bool) -> NDArray[np.float32]:
    """Make a node's constant weights int8; their scales, ``float32 [output channels]``, of a vector a number."""
    array = constant(node.inputs[1])
    assert array is not None
    if array.ndim == 1:  # a product with it sums up all of its numbers, which have to share a scale
        scale = choose_qparams_absmax(array.astype(np.float32)[None], 0, pair_sums)
        integers, scale = quantize_affine(array.astype(np.float32)[None], scale, 0)[0], scale.reshape(())
        node.replace_input_with(1, writer.dequantize_constant(str(node.inputs[1].name), integers, scale, 0))  # type: ignore[union-attr]
        return scale
    axis = hub.output_axis(node)
    scale = choose_qparams_absmax(array.astype(np.float32), axis, pair_sums)
    integers = quantize_affine(array.astype(np.float32), scale, axis)
    node.replace_input_with(1, writer.dequantize_constant(str(node.inputs[1].name), integers, scale, axis))  # type: ignore[union-attr]
    return scale


def quantize_bias(writer: "QuantizerWriter", node: ir.Node, scale: NDArray[np.float32]) -> None:
    """Make a node's constant bias int32, of the scale that its sums have."""
    array = constant(node.inputs[2])
    if array is None:
        return
    if node.op_type == "Gemm":  # one number for all outputs, one for each, or a matrix, which stays float
        array = np.repeat(array, scale.size) if array.size == 1 else array.reshape(-1)
        if array.size != scale.size:
            return
    scale = np.tile(scale, array.size // scale.size)  # the groups of a ConvTranspose share their scales
    node.replace_input_with(2, writer.bias(str(node.inputs[2].name), array, scale))  # type: ignore[union-attr]


class QuantizerWriter:
    """Adds quantizers behind the values of a graph."""

    def __init__(self, model: ir.Model) -> None:
        self._model = model
        self._used_names: Counter[str] = Counter()

    def quantize(self, value: ir.Value, qparams: ActivationQParams) -> ir.Value:
        """Add QuantizeLinear and DequantizeLinear behind a value; its consumers still read the value itself."""
        kind = np.uint8 if qparams.bits == 8 else np.uint16
        scale = hub.add_constant(self._model, f"{value.name}_scale", np.array(qparams.scale, np.float32))
        zero = hub.add_constant(self._model, f"{value.name}_zero", np.array(qparams.zero_point, kind))
        integers = self._add(
            "QuantizeLinear",
            [value, scale, zero],
            f"{value.name}_q",
            ir.DataType.from_numpy(np.dtype(kind)),
            value.shape,
        )
        return self._add(
            "DequantizeLinear", [integers, scale, zero], f"{value.name}_dq", ir.DataType.FLOAT, value.shape
        )

    def quantize_dynamically(self, value: ir.Value, limits: Sequence[float | None]) -> ir.Value:
        """Add DynamicQuantizeLinear and DequantizeLinear behind a value, and a Clip before where there are limits."""
        if limits:
            bounds = [
                None
                if limit is None
                else hub.add_constant(self._model, f"{value.name}_limit", np.array(limit, np.float32))
                for limit in limits
            ]
            value = self._add("Clip", [value, *bounds], f"{value.name}_cut", ir.DataType.FLOAT, value.shape)
        kinds = (("q", ir.DataType.UINT8, value.shape), ("scale", ir.DataType.FLOAT, ir.Shape(())))
        outputs = [
            ir.Value(name=f"{value.name}_{end}", shape=shape, type=ir.TensorType(kind))
            for end, kind, shape in (*kinds, ("zero", ir.DataType.UINT8, ir.Shape(())))
        ]
        self._model.graph.append(ir.node("DynamicQuantizeLinear", [value], outputs=outputs, name=f"{value.name}_q"))
        return self._add("DequantizeLinear", outputs, f"{value.name}_dq", ir.DataType.FLOAT, value.shape)

    def dequantize_constant(
        self, name: str, integers: NDArray[np.generic], scale: NDArray[np.float32], axis: int
    ) -> ir.Value:
        """Add a constant as integers and a DequantizeLinear behind it."""
        stored = hub.add_constant(self._model, f"{name}_int", integers)
        scales = hub.add_constant(self._model, f"{name}_scale", scale)
        return self._add(
            "DequantizeLinear", [stored, scales], f"{name}_dq", ir.DataType.FLOAT, stored.shape, {"axis": axis}
        )

    def bias(self, name: str, array: NDArray[Any], scale: NDArray[np.float32]) -> ir.Value:
        """Add a constant as int32 of one scale, or of one a number."""
        most = float(np.iinfo(np.int32).max)
        integers = np.clip(np.rint(array / scale.astype(np.float64)), -most, most).astype(np.int32)
        return self.dequantize_constant(name, integers, scale, 0)

    def constant(self, value: ir.Value, array: NDArray[Any], qparams: ActivationQParams) -> ir.Value:
        """Add a constant as unsigned integers of one scale and zero point."""
        kind = np.uint8 if qparams.bits == 8 else np.uint16
        integers = np.clip(np.rint(array / qparams.scale) + qparams.zero_point, 0, MAX_LEVELS[qparams.bits])
        name = f"{value.name}_{qparams.bits}"
        stored = hub.add_constant(self._model, f"{name}_int", integers.astype(kind))
        scale = hub.add_constant(self._model, f"{name}_scale", np.array(qparams.scale, np.float32))
        zero = hub.add_constant(self._model, f"{name}_zero", np.array(qparams.zero_point, kind))
        return self._add("DequantizeLinear", [stored, scale, zero], f"{name}_dq", ir.DataType.FLOAT, stored.shape)

    def _add(
        self,
        operator: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        dtype: ir.DataType,
        shape: ir.Shape | None,
        attributes: dict[str, int] | None = None,
    ) -> ir.Value:
        self._used_names[name] += 1
        if (number := self._used_names[name]) > 1:  # a constant of several norms has other integers in each
            name = f"{name}_{number}"
        node = ir.node(operator, inputs, attributes or {}, outputs=[ir.Value(name=name, shape=shape)], name=name)
        node.outputs[0].dtype = dtype
        self._model.graph.append(node)
        return node.outputs[0]
