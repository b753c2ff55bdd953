"""Quantizers on every value, for processors that compute nothing in floats: a graph whose nodes all read and write
integers.

A convolution computes in 8 or 16 bits, as its plan says; one that the plan keeps in float gets 16. All other nodes
compute in 16 bits, so that sums of residuals and norms lose nothing, except those that only carry values on: they keep
the bits of what they carry. Where a value of one width is read in the other, a second quantizer converts it.
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import insert
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.calibrate import ActivationStatistics
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.quantization.qparams import MAX_LEVELS, ActivationQParams, choose_qparams_affine
from pocketlens.converters.rewrites.cleanup import cleanup
from pocketlens.converters.rewrites.decompose_for_npu import DecomposeForNpu
from pocketlens.converters.rewrites.edit import only_consumer

CARRIERS = frozenset(
    {
        "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Pad", "Relu", "Reshape",
        "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
"""Operators whose numbers are all among those that they read (or 0)."""
_SAME = CARRIERS - {"Concat", "Relu"}
"""Those of which the output has the scale of the input; a Concat needs one that fits all of them."""
_PIXELS = ActivationQParams(1.0, 0, 8)
_ONE_SCALE = frozenset({"ScatterElements"})
"""Operators whose floats the processor copies as the integers that they are: all have the scale of the output."""
_LEAST_SCALES = {"Log": 1.01 * 2**-14}
"""The NPU's logarithm of 16-bit integers gives other numbers where its scale is 2^-14 or less (docs/upstream.md)."""


def prepare(model: ir.Model) -> None:
    """Write a graph of floats, in place, with the operators that the processor computes rightly in integers."""
    if DecomposeForNpu(integers=True)(model).modified:
        cleanup(model)


def values_to_calibrate(model: ir.Model) -> list[str]:
    """The values whose ranges are needed: all that are floats and computed."""
    return [str(value.name) for value in _floats(model)]


def quantize_everywhere(model: ir.Model, plan: Plan, statistics: Mapping[str, ActivationStatistics]) -> int:
    """Quantize every value of a graph, in place.

    Args:
        model: The graph.
        plan: Which convolutions compute in 8 bits and which in 16; what it keeps in float computes in 16 as well.
        statistics: Of every value of :func:`values_to_calibrate`.

    Returns:
        How many convolutions and products compute in integers now.
    """
    insert.allow_16_bits(model)
    _clamp_output(model)
    return _Everywhere(model, plan, statistics).quantize()


def _floats(model: ir.Model) -> list[ir.Value]:
    made = [value for node in model.graph for value in node.outputs]
    return [v for v in (*model.graph.inputs, *made) if v.dtype == ir.DataType.FLOAT and constant(v) is None]


def _clamp_output(model: ir.Model) -> None:
    """End the graph in a Clip to 0..255: it is where the picture becomes bytes, in a node whose input and output have
    the same type.
    """
    (stylized,) = model.graph.outputs
    last = stylized.producer()
    if last is None or last.op_type == "Clip":
        return
    stylized.name, limits = f"{hub.OUTPUT}_unclamped", []
    for name, limit in (("pixels_low", 0.0), ("pixels_high", 255.0)):
        limits.append(hub.add_constant(model, name, np.array(limit, np.float32)))
    clamped = ir.Value(name=hub.OUTPUT, shape=stylized.shape, type=ir.TensorType(ir.DataType.FLOAT))
    model.graph.append(ir.node("Clip", [stylized, *limits], name="pixels_clamp", outputs=[clamped]))
    model.graph.outputs[0] = clamped


class _Everywhere:
    def __init__(self, model: ir.Model, plan: Plan, statistics: Mapping[str, ActivationStatistics]) -> None:
        self._model, self._plan, self._statistics = model, plan, statistics
        self._writer = insert.QuantizerWriter(model)
        self._weighted = set(plans.candidates(model))
        image, *style = model.graph.inputs
        self._bits: dict[ir.Value, int] = {image: 8, **dict.fromkeys(style, 16)}
        self._qparams: dict[ir.Value, ActivationQParams] = {}
        self._constants: dict[tuple[ir.Value, ActivationQParams], ir.Value] = {}

    def quantize(self) -> int:
        nodes = list(self._model.graph)
        values = _floats(self._model)
        node_bits = {node: self._bits_of(node) for node in nodes}
        for value in reversed(values):  # a convolution in front of a Relu takes the Relu's range
            self._qparams[value] = self._choose(value)
        for node in nodes:  # and what only carries values on takes the scale of what it carries
            source = node.inputs[0] if node.inputs else None
            if node.op_type in _SAME and source in self._qparams and node.outputs[0] in self._qparams:
                for value in node.outputs:
                    self._qparams[value] = self._qparams[source]
        readers = {value: [(use.node, use.idx) for use in value.uses()] for value in values}
        for value in values:
            self._write(value, readers[value], node_bits)
        for node in nodes:
            self._write_constants(node, node_bits[node])
        self._model.graph.sort()
        common.RemoveUnusedNodesPass()(self._model)
        return len(self._weighted)

    def _bits_of(self, node: ir.Node) -> int:
        """The bits that a node reads and writes; its outputs are noted."""
        if node.outputs[0].is_graph_output():
            bits = 8
        elif node in self._weighted:
            bits = 8 if self._plan.setting(node) == "int8" else 16
        elif node.op_type in CARRIERS:
            sources = [self._bits.get(v) for v in node.inputs if v is not None]
            known = [bits for bits in sources if bits is not None]
            bits = max(known, default=16)
        else:
            bits = 16
        self._bits.update(dict.fromkeys(node.outputs, bits))
        return bits

    def _choose(self, value: ir.Value) -> ActivationQParams:
        bits = self._bits[value]
        if value.name == hub.INPUT or value.is_graph_output():
            return _PIXELS
        maker, reader = value.producer(), only_consumer(value)
        least = _LEAST_SCALES.get(maker.op_type, 0.0) if maker is not None else 0.0
        if reader is not None and reader.op_type == "Relu":
            after = self._qparams.get(reader.outputs[0])
            if after is not None and after.bits == bits and after.scale >= least:
                return after
        low, high = self._statistics[str(value.name)].range(self._plan.ranges, 1 << bits)
        return choose_qparams_affine(low, max(high, low + least * MAX_LEVELS[bits]), bits)

    def _write(self, value: ir.Value, readers: list[tuple[ir.Node, int]], node_bits: Mapping[ir.Node, int]) -> None:
        own = self._qparams[value]
        quantized = {own: self._writer.quantize(value, own)}
        for node, index in readers:
            wanted = own if node_bits[node] == own.bits else self._converted(value, node, node_bits[node])
            if node.op_type in _ONE_SCALE:
                wanted = self._qparams[node.outputs[0]]
            if wanted not in quantized:
                quantized[wanted] = self._writer.quantize(quantized[own], wanted)
            node.replace_input_with(index, quantized[wanted])
        for index, output in enumerate(self._model.graph.outputs):
            if output is value:
                self._be_output(index, value, quantized[own])

    def _converted(self, value: ir.Value, reader: ir.Node, bits: int) -> ActivationQParams:
        if reader.outputs[0].is_graph_output():
            return _PIXELS
        if value.name == hub.INPUT:
            return choose_qparams_affine(0.0, 255.99609375, bits)
        return choose_qparams_affine(*self._statistics[str(value.name)].range(self._plan.ranges, 1 << bits), bits)

    def _be_output(self, index: int, value: ir.Value, quantized: ir.Value) -> None:
        """The quantized value is what the graph gives, under the name that the graph's output has."""
        name, value.name = value.name, f"{value.name}_unrounded"
        quantized.name = name
        self._model.graph.outputs[index] = quantized

    def _write_constants(self, node: ir.Node, bits: int) -> None:
        """A node's constant numbers as integers: weights and biases, scales of norms, terms of sums and products."""
        if node in self._weighted:
            source = self._read_scale(node)
            weight_scale = insert.quantize_weight(self._writer, node, False)
            if len(node.inputs) > 2 and node.inputs[2] is not None:
                insert.quantize_bias(self._writer, node, source * weight_scale)
            return
        norm = node.op_type in ("InstanceNormalization", "LayerNormalization", "GroupNormalization")
        for index, value in enumerate(node.inputs):
            array = constant(value)
            if value is None or array is None or array.dtype != np.float32 or not _is_operand(node, index):
                continue
            if norm and index == 2:
                scale = np.array(self._read_scale(node) * self._scale_of(node.inputs[1]), np.float32)
                node.replace_input_with(index, self._writer.bias(str(value.name), array, scale))
                continue
            low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
            qparams = choose_qparams_affine(low, high if high > low else low + 1.0, 8 if norm else bits)
            if node.op_type in _ONE_SCALE:
                qparams = self._qparams[node.outputs[0]]
            key = (value, qparams)
            if key not in self._constants:
                self._constants[key] = self._writer.constant(value, array, qparams)
            node.replace_input_with(index, self._constants[key])

    def _read_scale(self, node: ir.Node) -> float:
        """The scale of the integers that a node reads first."""
        return self._scale_of(node.inputs[0])

    def _scale_of(self, value: ir.Value | None) -> float:
        scale = constant(value.producer().inputs[1])  # type: ignore[union-attr]
        assert scale is not None
        return float(scale)


def _is_operand(node: ir.Node, index: int) -> bool:
    """Whether an input holds numbers to compute with; limits, sizes and paddings are attributes in all but name."""
    return node.op_type not in ("Clip", "Pad", "Resize") or index == 0
