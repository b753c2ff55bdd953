"""The builder: a TFLite file under construction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import is_place
from pocketlens.converters.tflite import broadcast, layout
from pocketlens.converters.tflite.layout import Shape

SAME, VALID = 0, 1
"""TFLite's two paddings, as its schema numbers them."""

MAX_CONCATENATED = 4
"""Inputs of one CONCATENATION: XNNPACK took no more than four for years, and takes nested ones too."""
_MOST_AXES = 4
"""Of values on a GPU."""


@dataclass(eq=False)
class Tensor:
    """A value or constant of the file.

    Attributes:
        name: Unique in the end; a value keeps the graph's name.
        shape: As stored, see :mod:`pocketlens.converters.tflite.layout`.
        dtype: float32, float16, int64, int32, int16, int8, uint8 or bool.
        data: The values of a constant, else None. May be a view; it is made contiguous when it is written.
        scales: Of integers, and of weights that the graph quantizes to 8 bits: ``float32``, one for each channel of
            ``channel_axis`` or one for all.
        channel_axis: The stored axis of output channels.
        zero_point: The integer that means 0.
    """

    name: str
    shape: Shape
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    data: NDArray[Any] | None = None
    scales: NDArray[np.float32] | None = None
    channel_axis: int = 0
    zero_point: int = 0


@dataclass(eq=False)
class Operator:
    """A TFLite operator.

    Attributes:
        code: Its name in the schema's BuiltinOperator.
        inputs: In the order that TFLite wants.
        outputs: Mostly one.
        options: Fields of its options table; what is not named keeps the schema's default.
        version: The least operator version that means what is written here.
    """

    code: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    options: dict[str, Any] = field(default_factory=dict)
    version: int = 1


LONG = 1 << 19
"""Pixels from which on a mean is the mean of the rows' means: LiteRT sums a channel in one float32.

fast-style at 720 x 1280 goes from 84 to 102 dB by it; the rows' means take 7 % of its time more."""


class TFLiteBuilder:
    """Adds operators to a file, and remembers which tensor holds which value of the graph."""

    def __init__(self, longest_mean: int = LONG) -> None:
        self.operators: list[Operator] = []
        self.longest_mean = longest_mean
        self._tensors: dict[ir.Value, Tensor] = {}
        self._names: set[str] = set()
        self._prefix = ""

    def begin(self, node: ir.Node) -> None:
        """Name the operators that are added next after a node of the graph."""
        self._prefix = node.name or node.op_type

    def add_input(self, value: ir.Value) -> Tensor:
        """A tensor for an input of the graph, which no operator computes."""
        tensor = Tensor(
            hub.free_name(value.name or "value", self._names), layout.shape(hub.static_shape(value)), _dtype(value)
        )
        self._tensors[value] = tensor
        return tensor

    def bind(self, value: ir.Value, tensor: Tensor) -> None:
        """Let ``tensor`` hold a value of the graph."""
        expected = layout.shape(hub.static_shape(value))
        assert tensor.shape == expected, f"{value.name}: lowered to {tensor.shape}, expected {expected}"
        if tensor.data is None and not any(tensor is t for t in self._tensors.values()):
            tensor.name = hub.free_name(value.name or "value", self._names)
        self._tensors[value] = tensor

    def get(self, value: ir.Value | None) -> Tensor:
        """The tensor that holds a value; a weight or constant becomes a constant in stored order."""
        assert value is not None
        if value not in self._tensors:
            array = constant(value)
            assert array is not None, f"{value.name} is read before it is computed"
            self._tensors[value] = self.constant(layout.stored(array), value.name or "constant")
        return self._tensors[value]

    def operand(self, value: ir.Value | None, rank: int) -> Tensor:
        """The tensor of a value that the graph broadcasts against one of ``rank`` axes."""
        array = constant(value)
        if array is not None:
            assert value is not None
            return self.constant(layout.constant_operand(array, rank), value.name or "constant")
        tensor = self.get(value)
        if rank != 4 or len(tensor.shape) == 4:
            return tensor
        return self.reshape_graph(tensor, tensor.shape, (1,) * (4 - len(tensor.shape)) + tensor.shape)

    def weights(self, array: NDArray[Any], scales: NDArray[np.float32] | None, channel_axis: int) -> Tensor:
        """A constant of weights, with a scale for each channel where the graph quantizes them to 8 bits."""
        tensor = self.constant(array)
        tensor.scales, tensor.channel_axis = scales, channel_axis
        return tensor

    def constant(self, array: NDArray[Any], name: str = "") -> Tensor:
        """A constant, stored exactly as given; equal constants are merged when the file is written."""
        # TFLite counts and indexes in int32; the graph does in int64.
        if array.dtype == np.int64:
            array = array.astype(np.int32)
        return Tensor(hub.free_name(name or f"{self._prefix}/constant", self._names), array.shape, array.dtype, array)

    def integers(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """A constant of int32: shapes, axes, paddings."""
        return self.constant(np.array(numbers, np.int32))

    def add(
        self,
        code: str,
        inputs: Sequence[Tensor],
        shape: Sequence[int],
        version: int = 1,
        dtype: type[np.generic] = np.float32,
        **options: Any,
    ) -> Tensor:
        """Add an operator with one output of a stored ``shape`` and return that output."""
        output = Tensor(hub.free_name(f"{self._prefix}/{code.lower()}", self._names), tuple(shape), np.dtype(dtype))
        self.operators.append(Operator(code, list(inputs), [output], options, version))
        return output

    def further_output(self, output: Tensor, dtype: type[np.generic]) -> Tensor:
        """Another output of the operator that was added last, of the same shape."""
        name = hub.free_name(f"{output.name}_{len(self.operators[-1].outputs)}", self._names)
        further = Tensor(name, output.shape, np.dtype(dtype))
        self.operators[-1].outputs.append(further)
        return further

    def elementwise(self, code: str, *operands: Tensor | float, **options: Any) -> Tensor:
        """Add an operator that works value by value, with broadcasting; a number becomes a constant."""
        tensors = [o if isinstance(o, Tensor) else self.constant(np.array([o], np.float32)) for o in operands]
        shape = np.broadcast_shapes(*(t.shape for t in tensors))
        merged = broadcast.merge_axes([t.shape for t in tensors], shape)
        computed = [t.shape for t in tensors if t.data is None]
        if not broadcast.repeats_first_axis(computed, shape) or len(merged[0]) > _MOST_AXES:
            return self.add(code, tensors, shape, **options)
        rows = [self.reshape(t, own) for t, own in zip(tensors, merged, strict=True)]
        return self.reshape(self.add(code, rows, np.broadcast_shapes(*merged), **options), shape)

    def reshape(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Another shape for the same values in the same stored order."""
        if tensor.shape == tuple(shape):
            return tensor
        return self.add("RESHAPE", [tensor, self.integers(shape)], shape, newShape=list(shape), dtype=tensor.dtype.type)

    def reshape_graph(self, tensor: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
        """A reshape of the graph, given in the graph's shapes, applied to a tensor.

        Free where the values keep their order as stored; else they go through the graph's order, by a TRANSPOSE on each
        side that has four axes.
        """
        if layout.same_order(before, after):
            return self.reshape(tensor, layout.shape(after))
        plain = self.transpose(tensor, layout.TO_GRAPH) if len(before) == 4 else tensor
        reshaped = self.reshape(plain, after)
        return self.transpose(reshaped, layout.TO_STORED) if len(after) == 4 else reshaped

    def transpose(self, tensor: Tensor, order: Sequence[int]) -> Tensor:
        """Stored axis ``i`` of the result is axis ``order[i]`` of the tensor."""
        shape = [tensor.shape[axis] for axis in order]
        return self.add("TRANSPOSE", [tensor, self.integers(order)], shape, dtype=tensor.dtype.type)

    def slice_axis(self, tensor: Tensor, axis: int, start: int, length: int) -> Tensor:
        """``length`` entries of a stored axis from ``start`` on."""
        if start == 0 and length == tensor.shape[axis]:
            return tensor
        begin = [start if i == axis else 0 for i in range(len(tensor.shape))]
        size = [length if i == axis else n for i, n in enumerate(tensor.shape)]
        inputs = [tensor, self.integers(begin), self.integers(size)]
        return self.add("SLICE", inputs, size, dtype=tensor.dtype.type)

    def concatenate(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Concatenate along a stored axis, at most :data:`MAX_CONCATENATED` at a time."""
        parts = list(tensors)
        while len(parts) > 1:
            group = parts[:MAX_CONCATENATED]
            size = list(group[0].shape)
            size[axis] = sum(t.shape[axis] for t in group)
            dtype = group[0].dtype.type
            parts[:MAX_CONCATENATED] = [self.add("CONCATENATION", group, size, axis=axis, dtype=dtype)]
        return parts[0]

    def pad_zeros(self, tensor: Tensor, pads: Sequence[tuple[int, int]]) -> Tensor:
        """Add zeros before and after each stored axis."""
        if not any(before or after for before, after in pads):
            return tensor
        grown = [n + before + after for n, (before, after) in zip(tensor.shape, pads, strict=True)]
        return self.add("PAD", [tensor, self.integers(pads)], grown)

    def producer(self, tensor: Tensor) -> Operator | None:
        """The operator that computes a tensor."""
        return next((op for op in reversed(self.operators) if tensor in op.outputs), None)


def _dtype(value: ir.Value) -> np.dtype[Any]:
    if is_place(value):
        return np.dtype(np.int32)
    others = (ir.DataType.BOOL, ir.DataType.UINT8, ir.DataType.INT8, ir.DataType.INT16)
    return value.dtype.numpy() if value.dtype in others else np.dtype(np.float32)
