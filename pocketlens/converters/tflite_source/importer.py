"""From a file's tensors and operators to an ONNX model: what the rules of operators work with.

Values lie in the order of the file, channels last, with Transposes around what ONNX computes channels first; those that
undo each other are taken out later, as in every file that was born in TensorFlow. A quantized constant becomes the
floats that it stands for. A quantized value is a float that goes through QuantizeLinear and DequantizeLinear, with the
file's own scale and zero point.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.onnx_file import MAX_NUMBER
from pocketlens.converters.tflite_source.flatbuffer import Operator, Quantization, Tensor, TFLiteFile
from pocketlens.errors import InputError

Array = NDArray[Any]
Made = ir.Value | Array
"""What an operator gives: a value, or a constant where it reads nothing else."""
Rule = Callable[["Importer", Operator], Made | list[ir.Value]]
"""Adds the nodes of an operator; gives its first output, or all of them."""

RULES: dict[str, Rule] = {}
"""Every operator that is read; filled by the modules of ``rules``."""
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)

_AXES = ("batch", "height", "width", "channels")
_MAX_NUMBERS = 1 << 12
_WHOLE = "check that the file is whole, or convert it again"
_ELSEWHERE = "give the model that it was converted from, or replace the operator there"
_TYPES = {"float16": "float32", "float64": "float32", "int32": "int64"}
"""Types that become another one: ONNX counts in int64, and halves are computed as floats."""
IR_VERSION = 10
_ACTIVATIONS: dict[int, tuple[str, tuple[float, ...]]] = {
    1: ("Relu", ()), 2: ("Clip", (-1.0, 1.0)), 3: ("Clip", (0.0, 6.0)), 4: ("Tanh", ()),
}  # fmt: skip
"""Functions that an operator applies to its own output, as the schema numbers them."""
_INTEGERS = {name: np.iinfo(name) for name in ("int8", "uint8", "int16")}
_MOVES = {
    "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MAXIMUM", "MAX_POOL_2D",
    "MINIMUM", "MIRROR_PAD", "PACK", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SELECT", "SELECT_V2", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V",
    "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
}  # fmt: skip
"""Operators whose outputs are values of their inputs: nothing is rounded where the scales are the same."""


def rule(*codes: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of some operators."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(codes, function))
        return function

    return register


class Importer:
    """Builds the ONNX model of a file."""

    def __init__(self, file: TFLiteFile) -> None:
        self.file = file
        self.quantized = 0
        self._values: dict[int, ir.Value] = {}
        self._arrays: dict[int, Array] = {}
        self._names: set[str] = set()
        self._nodes: list[ir.Node] = []
        self._stored: list[ir.Value] = []

    def model(self) -> ir.Model:
        """The whole file."""
        names = [
            hub.free_name(self.file.tensors[place].name or f"input_{place}", self._names) for place in self.file.inputs
        ]
        inputs = [self._input(place, name) for place, name in zip(self.file.inputs, names, strict=True)]
        for operator in self.file.operators:
            self._operator(operator)
        outputs = [self._output(place) for place in self.file.outputs]
        graph = ir.Graph(
            inputs, outputs, nodes=self._nodes, initializers=self._stored, opset_imports={"": hub.OPSET}, name="main"
        )
        return ir.Model(graph, ir_version=IR_VERSION)

    def tensor(self, operator: Operator, place: int) -> Tensor:
        """An input of an operator, as the file describes it."""
        if not self.has(operator, place):
            raise self.refusal(operator, f"leaves out its input {place}", _WHOLE)
        return self.file.tensors[operator.inputs[place]]

    def has(self, operator: Operator, place: int) -> bool:
        """Whether an operator has an input at a place."""
        return len(operator.inputs) > place and operator.inputs[place] >= 0

    def value(self, operator: Operator, place: int) -> ir.Value:
        """An input of an operator as a value of the model; a constant becomes an initializer."""
        tensor, index = self.tensor(operator, place), operator.inputs[place]
        if index not in self._values:
            array = self.array(operator, place)
            if array is None:
                raise self.refusal(operator, f"reads {tensor.name!r} before it is computed", _WHOLE)
            self._values[index] = self.constant(array, tensor.name)
        return self._values[index]

    def array(self, operator: Operator, place: int) -> Array | None:
        """The numbers of an input that is constant, decoded; None if it is computed, or left out."""
        if not self.has(operator, place):
            return None
        index, tensor = operator.inputs[place], self.tensor(operator, place)
        if index not in self._arrays and index not in self._values and tensor.data is not None:
            self._arrays[index] = decode(tensor)
        if index not in self._arrays and index not in self._values and 0 in tensor.shape:
            self._arrays[index] = np.zeros([n or 0 for n in tensor.shape], self._dtype(tensor).numpy())
        return self._arrays.get(index)

    def ints(self, operator: Operator, place: int) -> list[int]:
        """Whole numbers that steer an operator: axes, sizes, places."""
        array = self.array(operator, place)
        if array is None or array.dtype.kind not in "iu" or array.size > _MAX_NUMBERS:
            name = self.tensor(operator, place).name
            raise self.refusal(operator, f"is steered by {name!r}, which is computed", _ELSEWHERE)
        return [int(number) for number in array.reshape(-1)]

    def axes(self, operator: Operator, place: int, rank: int) -> list[int]:
        """Axes, counted from the front."""
        axes = self.ints(operator, place)
        if any(not -rank <= axis < rank for axis in axes):
            raise self.refusal(operator, f"names the axes {axes} of {rank}", _WHOLE)
        return [axis % rank for axis in axes]

    def rank(self, operator: Operator, place: int) -> int:
        """How many axes an input has."""
        return len(self.tensor(operator, place).shape)

    def picture(self, operator: Operator, place: int = 0) -> ir.Value:
        """An input of four axes, channels first."""
        if self.rank(operator, place) != len(_AXES):
            raise self.refusal(operator, f"reads {list(self.tensor(operator, place).shape)}, expected 4 axes", _WHOLE)
        return self.add("Transpose", [self.value(operator, place)], perm=TO_FIRST)

    def channels_last(self, value: ir.Value) -> ir.Value:
        """What was computed channels first, in the order of the file."""
        return self.add("Transpose", [value], perm=TO_LAST)

    def turned(self, operator: Operator, place: int, order: Sequence[int]) -> ir.Value:
        """Weights with their axes in another order."""
        if self.rank(operator, place) != len(order):
            raise self.refusal(operator, f"has weights of {self.rank(operator, place)} axes", _WHOLE)
        array = self.array(operator, place)
        if array is None:
            return self.add("Transpose", [self.value(operator, place)], perm=order)
        return self.constant(np.ascontiguousarray(array.transpose(order)), self.tensor(operator, place).name)

    def option(self, operator: Operator, name: str, most: int = MAX_NUMBER, least: int = 0) -> int:
        """A whole number, or yes or no, of an operator's options.

        Raises:
            InputError: It has no such option, or one out of the limits.
        """
        number = getattr(operator.options, name, None)
        if number is None or not least <= int(number) <= most:
            raise self.refusal(operator, f"has {name} {number}, expected {least} to {most:,}", _WHOLE)
        return int(number)

    def add(self, kind: str, inputs: Sequence[ir.Value | Array | None], **attributes: Any) -> ir.Value:
        """Add a node; its first output. Arrays become constants."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(
        self, kind: str, inputs: Sequence[ir.Value | Array | None], outputs: int, **attributes: Any
    ) -> list[ir.Value]:
        """Add a node; all its outputs."""
        values = [self.constant(v, kind.lower()) if isinstance(v, np.ndarray) else v for v in inputs]
        name = hub.free_name(f"{kind.lower()}_{len(self._nodes)}", self._names)
        made = [ir.Value(name=hub.free_name(f"{name}_out", self._names)) for _ in range(outputs)]
        self._nodes.append(ir.node(kind, values, attributes, outputs=made, name=name))
        return made

    def constant(self, array: Array, name: str) -> ir.Value:
        """A constant of the model."""
        name = hub.free_name(name or "constant", self._names)
        value = ir.Value(name=name, const_value=ir.Tensor(array, name=name), shape=ir.Shape(array.shape))
        value.dtype = ir.DataType.from_numpy(array.dtype)
        self._stored.append(value)
        return value

    def refusal(self, operator: Operator, what: str, do: str) -> InputError:
        """What is wrong with an operator, as an error to raise."""
        names = [self.file.tensors[place].name for place in operator.outputs if place >= 0]
        return InputError(f"{operator.code} {(names or [''])[0][:80]!r} of {self.file.path} {what}", do=do)

    def dtype(self, operator: Operator) -> ir.DataType:
        """The type of an operator's first output in the model."""
        return self._dtype(self.file.tensors[operator.outputs[0]])

    def _operator(self, operator: Operator) -> None:
        if operator.code not in RULES:
            raise self.refusal(operator, "is an operator that is not read", _known(operator.code))
        if not operator.outputs or min(operator.outputs) < 0:
            raise self.refusal(operator, "has no output", _WHOLE)
        made = RULES[operator.code](self, operator)
        outputs = made if isinstance(made, list) else [made]
        if len(outputs) != len(operator.outputs):
            raise self.refusal(operator, f"has {len(operator.outputs)} outputs, {len(outputs)} expected", _WHOLE)
        for place, output in zip(operator.outputs, outputs, strict=True):
            if place in self._values or place in self.file.inputs or self.file.tensors[place].data is not None:
                raise self.refusal(operator, "computes what was there before", _WHOLE)
            if isinstance(output, np.ndarray):
                self._arrays[place] = output
            else:
                self._values[place] = self._rounded(operator, place, self._activated(operator, output))

    def _activated(self, operator: Operator, value: ir.Value) -> ir.Value:
        function = int(getattr(operator.options, "fusedActivationFunction", 0))
        if not function:
            return value
        if function not in _ACTIVATIONS:
            raise self.refusal(operator, f"applies the function {function} to its output", _ELSEWHERE)
        kind, limits = _ACTIVATIONS[function]
        return self.add(kind, [value, *(np.array(limit, np.float32) for limit in limits)])

    def _rounded(self, operator: Operator, place: int, value: ir.Value) -> ir.Value:
        quantization = self.file.tensors[place].quantization
        if quantization is None or self._dtype(self.file.tensors[place]) != ir.DataType.FLOAT:
            return value
        read = [self.file.tensors[i] for i in operator.inputs if i >= 0 and self.file.tensors[i].dtype != "int32"]
        read = [tensor for tensor in read if tensor.dtype != "bool"]
        plain = not int(getattr(operator.options, "fusedActivationFunction", 0))
        if operator.code in _MOVES and plain and all(quantization.is_same(tensor.quantization) for tensor in read):
            return value
        return self._quantize(value, self.file.tensors[place], quantization)

    def _quantize(self, value: ir.Value, tensor: Tensor, quantization: Quantization) -> ir.Value:
        if quantization.scales.size > 1:
            raise InputError(
                f"the value {tensor.name!r} of {self.file.path} has a scale for each channel",
                do="quantize it again: values have one scale, weights may have several",
            )
        limits = _INTEGERS.get(tensor.dtype)
        if limits is None or not limits.min <= quantization.zero_points[0] <= limits.max:
            raise InputError(
                f"the value {tensor.name!r} of {self.file.path} is {tensor.dtype} around {quantization.zero_points[0]}",
                do="quantize it again: values are int8, uint8 or int16",
            )
        self.quantized += 1
        scale = self.constant(quantization.scales.reshape(()), f"{tensor.name}_scale")
        if tensor.dtype == "int16":  # ONNX has no quantizer of 16 bits in this opset: the same in floats
            steps = self.add("Round", [self.add("Div", [value, scale])])
            ends = (np.array(end, np.float32) for end in (-32768, 32767))
            return self.add("Mul", [self.add("Clip", [steps, *ends]), scale])
        zero = self.constant(np.array(quantization.zero_points[0], tensor.dtype), f"{tensor.name}_zero")
        return self.add("DequantizeLinear", [self.add("QuantizeLinear", [value, scale, zero]), scale, zero])

    def _input(self, place: int, name: str) -> ir.Value:
        if place < 0 or place in self._values:
            raise InputError(f"{self.file.path} names an input twice, or none", do=_WHOLE)
        tensor = self.file.tensors[place]
        lengths = [
            length if length is not None else _axis_name(axis, tensor) for axis, length in enumerate(tensor.shape)
        ]
        value = ir.Value(name=name, shape=ir.Shape(lengths), type=ir.TensorType(self._dtype(tensor)))
        taken = value
        if tensor.quantization is not None:
            taken = self._quantize(value, tensor, tensor.quantization)
        self._values[place] = taken
        return value

    def _output(self, place: int) -> ir.Value:
        if place < 0 or place not in self._values:
            raise InputError(f"{self.file.path} gives an output that nothing computes", do=_WHOLE)
        tensor = self.file.tensors[place]
        value = self.add("Identity", [self._values[place]])
        value.name = hub.free_name(tensor.name or f"output_{place}", self._names)
        lengths = [
            length if length is not None else _axis_name(axis, tensor) for axis, length in enumerate(tensor.shape)
        ]
        value.shape, value.type = ir.Shape(lengths), ir.TensorType(self._dtype(tensor))
        return value

    def _dtype(self, tensor: Tensor) -> ir.DataType:
        """The type that a tensor has in the model: what is quantized is a float there."""
        if tensor.quantization is not None and tensor.dtype != "int64":
            return ir.DataType.FLOAT
        name = _TYPES.get(tensor.dtype, tensor.dtype)
        if name not in ("float32", "int64", "int8", "uint8", "int16", "bool"):
            raise InputError(
                f"the value {tensor.name!r} of {self.file.path} is of type {tensor.dtype}, which is not read",
                do="export the model in float32 or int8",
            )
        return ir.DataType.from_numpy(np.dtype(name))


def _axis_name(axis: int, tensor: Tensor) -> str:
    """What a free length is called: the same in every picture of a file."""
    return _AXES[axis] if len(tensor.shape) == len(_AXES) else f"length_{axis}"


def decode(tensor: Tensor) -> Array:
    """The numbers that a constant stands for."""
    assert tensor.data is not None
    if tensor.quantization is None:
        return tensor.data.astype(_TYPES.get(tensor.dtype, tensor.data.dtype))
    along = [1] * tensor.data.ndim
    if tensor.quantization.scales.size > 1:
        along[tensor.quantization.axis] = -1
    scales, zeros = tensor.quantization.scales.reshape(along), tensor.quantization.zero_points.reshape(along)
    if tensor.data.ndim == 0:
        scales, zeros = scales.reshape(()), zeros.reshape(())
    wide = np.int64 if tensor.data.dtype == np.int32 else np.int32
    floats: Array = (tensor.data.astype(wide) - zeros.astype(wide)).astype(np.float32) * scales
    return floats


def _known(code: str) -> str:
    if code in ("IF", "WHILE", "CALL_ONCE"):
        return "export the generator without control flow"
    custom = "a custom operator computes what its own program says; " if code.startswith("CUSTOM") else ""
    names, lines = sorted(RULES), [""]
    for name in names:
        if len(lines[-1]) + len(name) > 100:
            lines.append("")
        lines[-1] += f"{name} "
    listed = "\n".join(f"  {line.rstrip()}" for line in lines)
    return f"{custom}{_ELSEWHERE}; read are\n{listed}"
