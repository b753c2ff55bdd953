"""The draft: what a TFLite file will hold, while it is being put together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.layout import Shape

SAME, VALID = 0, 1
"""TFLite's two paddings, as its schema numbers them."""

MOST_JOINED = 4
"""Inputs of one CONCATENATION: XNNPACK took no more than four for years, and takes nested ones gladly."""


class Refused(Exception):  # noqa: N818  (it is caught where the graph is walked and becomes a Refusal)
    """A lowering cannot express its node; the message is the reason, in words."""


@dataclass(eq=False)
class Tensor:
    """A value or constant of the file.

    Attributes:
        name: Unique in the end; a value keeps the graph's name.
        shape: As stored, see :mod:`pocketlens.converters.tflite.layout`.
        dtype: float32, float16, int64, int32, int16, int8, uint8 or bool.
        data: The values of a constant, else None. May be a view; it is made contiguous when it is written.
        scales: Of integers, and of a constant that the graph codes in 8 bits: what one step is worth, ``float32``, for each
            entry of ``axis`` or one for all.
        axis: The stored axis of output channels.
        zero: The integer that means 0.
    """

    name: str
    shape: Shape
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    data: NDArray[Any] | None = None
    scales: NDArray[np.float32] | None = None
    axis: int = 0
    zero: int = 0


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


class Draft:
    """Collects operators, and remembers which tensor holds which value of the graph."""

    def __init__(self) -> None:
        self.operators: list[Operator] = []
        self._tensors: dict[ir.Value, Tensor] = {}
        self._names: set[str] = set()
        self._prefix = ""

    def begin(self, node: ir.Node) -> None:
        """Name what is added next after a node of the graph."""
        self._prefix = node.name or node.op_type

    def placeholder(self, value: ir.Value) -> Tensor:
        """A tensor for a value that no operator makes: the input."""
        tensor = Tensor(self._free(value.name or "value"), layout.shape(hub.static_shape(value)), _dtype(value))
        self._tensors[value] = tensor
        return tensor

    def bind(self, value: ir.Value, tensor: Tensor) -> None:
        """Let ``tensor`` hold a value of the graph."""
        expected = layout.shape(hub.static_shape(value))
        assert tensor.shape == expected, f"{value.name}: lowered to {tensor.shape}, expected {expected}"
        if tensor.data is None and not any(tensor is t for t in self._tensors.values()):
            tensor.name = self._free(value.name or "value")
        self._tensors[value] = tensor

    def of(self, value: ir.Value | None) -> Tensor:
        """The tensor of a value; a weight or constant becomes a constant in stored order."""
        assert value is not None
        if value not in self._tensors:
            array = constant(value)
            assert array is not None, f"{value.name} is read before it is made"
            self._tensors[value] = self.constant(layout.stored(array), value.name or "constant")
        return self._tensors[value]

    def operand(self, value: ir.Value | None, rank: int) -> Tensor:
        """The tensor of a value that broadcasts in the graph against one of ``rank``."""
        array = constant(value)
        if array is not None:
            assert value is not None
            return self.constant(layout.constant_operand(array, rank), value.name or "constant")
        tensor = self.of(value)
        if rank != 4 or len(tensor.shape) == 4:
            return tensor
        return self.reshape_graph(tensor, tensor.shape, (1,) * (4 - len(tensor.shape)) + tensor.shape)

    def weights(self, array: NDArray[Any], scales: NDArray[np.float32] | None, axis: int) -> Tensor:
        """A constant of weights; ``scales`` of each entry of the stored ``axis`` where the graph codes them in 8 bits."""
        tensor = self.constant(array)
        tensor.scales, tensor.axis = scales, axis
        return tensor

    def constant(self, array: NDArray[Any], name: str = "") -> Tensor:
        """A constant, stored exactly as given; equal constants are merged when the file is written."""
        # TFLite counts and indexes in int32; the graph does in int64.
        if array.dtype == np.int64:
            array = array.astype(np.int32)
        return Tensor(self._free(name or f"{self._prefix}/constant"), array.shape, array.dtype, array)

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
        output = Tensor(self._free(f"{self._prefix}/{code.lower()}"), tuple(shape), np.dtype(dtype))
        self.operators.append(Operator(code, list(inputs), [output], options, version))
        return output

    def elementwise(self, code: str, *operands: Tensor | float, **options: Any) -> Tensor:
        """Add an operator that works value by value, with broadcasting; a number becomes a constant."""
        tensors = [o if isinstance(o, Tensor) else self.constant(np.array([o], np.float32)) for o in operands]
        return self.add(code, tensors, np.broadcast_shapes(*(t.shape for t in tensors)), **options)

    def reshape(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Another shape for the same values in the same stored order."""
        if tensor.shape == tuple(shape):
            return tensor
        return self.add("RESHAPE", [tensor, self.integers(shape)], shape, newShape=list(shape), dtype=tensor.dtype.type)

    def reshape_graph(self, tensor: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
        """What a reshape of the graph, given in its own shapes, makes of a tensor.

        Free where the values keep their order as stored; else they go through the graph's order, by a TRANSPOSE on each side
        that has four axes.
        """
        if layout.same_order(before, after):
            return self.reshape(tensor, layout.shape(after))
        plain = self.transpose(tensor, layout.TO_GRAPH) if len(before) == 4 else tensor
        made = self.reshape(plain, after)
        return self.transpose(made, layout.TO_STORED) if len(after) == 4 else made

    def transpose(self, tensor: Tensor, order: Sequence[int]) -> Tensor:
        """Stored axis ``i`` of the result is axis ``order[i]`` of the tensor."""
        shape = [tensor.shape[axis] for axis in order]
        return self.add("TRANSPOSE", [tensor, self.integers(order)], shape, dtype=tensor.dtype.type)

    def cut(self, tensor: Tensor, axis: int, start: int, length: int) -> Tensor:
        """``length`` entries of a stored axis from ``start`` on."""
        if start == 0 and length == tensor.shape[axis]:
            return tensor
        begin = [start if i == axis else 0 for i in range(len(tensor.shape))]
        size = [length if i == axis else n for i, n in enumerate(tensor.shape)]
        return self.add("SLICE", [tensor, self.integers(begin), self.integers(size)], size)

    def join(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Concatenate along a stored axis, at most :data:`MOST_JOINED` at a time."""
        parts = list(tensors)
        while len(parts) > 1:
            group = parts[:MOST_JOINED]
            size = list(group[0].shape)
            size[axis] = sum(t.shape[axis] for t in group)
            parts[:MOST_JOINED] = [self.add("CONCATENATION", group, size, axis=axis)]
        return parts[0]

    def zeros_around(self, tensor: Tensor, pads: Sequence[tuple[int, int]]) -> Tensor:
        """Zeros before and after each stored axis."""
        if not any(before or after for before, after in pads):
            return tensor
        grown = [n + before + after for n, (before, after) in zip(tensor.shape, pads, strict=True)]
        return self.add("PAD", [tensor, self.integers(pads)], grown)

    def producer(self, tensor: Tensor) -> Operator | None:
        """The operator that makes a tensor."""
        return next((op for op in reversed(self.operators) if tensor in op.outputs), None)

    def _free(self, name: str) -> str:
        free, count = name, 0
        while free in self._names:
            count += 1
            free = f"{name}_{count}"
        self._names.add(free)
        return free


def _dtype(value: ir.Value) -> np.dtype[Any]:
    kinds = (ir.DataType.BOOL, ir.DataType.UINT8, ir.DataType.INT8, ir.DataType.INT16)
    return value.dtype.numpy() if value.dtype in kinds else np.dtype(np.float32)
