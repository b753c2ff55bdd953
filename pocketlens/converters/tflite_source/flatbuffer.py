"""What a ``.tflite`` file says, read without trusting it.

Every count, index, length and size is compared with the bytes that are there before anything is done with it. What
comes out has no offsets any more: other code sees tensors and operators.
"""

import math
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.onnx_file import MAX_BYTES, MAX_NAME, MAX_NODES, MAX_READS
from pocketlens.errors import InputError, require
from pocketlens.files import regular
from pocketlens.runtimes.litert_library import check_file

MAX_AXES = 8
"""Most axes of a tensor; the runtime knows six."""
MAX_LENGTH = 1 << 24
"""Longest axis of a tensor."""
MAX_SPREAD = 4
"""Values of all constants together for each byte of the file: weights of 4 bits are two, and a buffer may be shared."""
_SPARE = 1 << 20
"""Values that a small file may have beyond that."""
_OLD_CODES = 127
"""Operator numbers from here on stand in the newer of two fields."""
_NAME, _DATA, _TYPE, _CUSTOM_CODE = 10, 4, 6, 6
"""Places of fields in their tables (tensorflow/compiler/mlir/lite/schema/schema.fbs)."""

_WHOLE = "check that the file is whole"
_DTYPES = {
    "FLOAT32": "float32", "FLOAT16": "float16", "FLOAT64": "float64", "INT32": "int32", "INT64": "int64",
    "UINT8": "uint8", "INT8": "int8", "INT16": "int16", "BOOL": "bool", "INT4": "int4",
}  # fmt: skip
"""The schema's types that are read, as numpy calls them."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """What integers stand for: ``(integer - zero_point) * scale``.

    Attributes:
        scales: ``float32``, one for all or one for each place of ``axis``.
        zero_points: ``int64``, as many.
        axis: Which axis they go by, where there are several.
    """

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int

    def is_same(self, other: "Quantization | None") -> bool:
        """Whether integers stand for the same numbers in both."""
        return (
            other is not None
            and np.array_equal(self.scales, other.scales)
            and np.array_equal(self.zero_points, other.zero_points)
        )


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value or constant.

    Attributes:
        name: As the file calls it; several may have the same name, or none.
        dtype: As numpy calls it, or ``"int4"``.
        shape: The length of each axis; None for one that is free.
        data: The integers or floats of a constant as they are stored, else None.
        quantization: What its integers stand for; None where they are numbers.
        buffer: Which of the file's buffers holds the constant.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    data: NDArray[Any] | None
    quantization: Quantization | None
    buffer: int


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator.

    Attributes:
        code: Its name in the schema; a custom operator's own name behind ``"CUSTOM "``.
        inputs: Places of tensors; -1 for one that is left out.
        outputs: Places of tensors.
        options: Its table of options as the schema's class, or None.
    """

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True, eq=False)
class TFLiteFile:
    """The first subgraph of a file, which is what runtimes play."""

    path: Path
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_file(path: Path) -> TFLiteFile:
    """Read the first subgraph of a ``.tflite`` file.

    Raises:
        InputError: It is absent, damaged or too large, or keeps its values in a form that is not read.
        MissingError: ai-edge-litert, whose schema is used, is not installed.
    """
    require("ai_edge_litert", "build")
    require("flatbuffers", "build")
    check_file(regular(path, "give the .tflite file itself"))
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path} is {size:,} bytes, more than {MAX_BYTES:,}", do="give a smaller model")
    try:
        return _Reader(path).read()
    except InputError:
        raise
    # struct.error: an offset out of the file; the others: what flatbuffers and numpy say of wrong numbers.
    except (struct.error, ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        raise InputError(f"{path} is not a readable TFLite file: {error}", do=_WHOLE) from error


@cache
def _names(table: str) -> dict[int, str]:
    """The names of an enumeration of the schema, by their numbers."""
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(getattr(schema, table)).items() if not name.startswith("_")}


class _Reader:
    def __init__(self, path: Path) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._path, self._bytes = path, path.read_bytes()
        self._model = schema.Model.GetRootAs(self._bytes, 0)
        self._options = schema.BuiltinOptionsCreator
        self._room = MAX_SPREAD * len(self._bytes) + _SPARE

    def read(self) -> TFLiteFile:
        if not self._model.SubgraphsLength():
            raise InputError(f"{self._path} has no graph", do=_WHOLE)
        graph, model = self._model.Subgraphs(0), self._model
        tensors = range(self._count(graph.TensorsLength(), MAX_READS, "tensors"))
        operators = range(self._count(graph.OperatorsLength(), MAX_NODES, "operators"))
        codes = range(self._count(model.OperatorCodesLength(), MAX_NODES, "kinds of operators"))
        self._count(model.BuffersLength(), 2 * MAX_READS, "buffers")
        self._reads = 0
        self._tensor_count = len(tensors)
        kinds = [self._code(model.OperatorCodes(index)) for index in codes]
        return TFLiteFile(
            self._path,
            tuple(self._tensor(graph.Tensors(index), index) for index in tensors),
            tuple(self._operator(graph.Operators(index), kinds) for index in operators),
            self._places(graph, "Inputs"),
            self._places(graph, "Outputs"),
        )

    def _count(self, count: int, most: int, what: str) -> int:
        if count > most:
            raise InputError(f"{self._path} has {count:,} {what}, more than {most:,}", do="give a generator alone")
        return count

    def _text(self, table: Any, field: int) -> str:
        offset = table.Offset(field)
        if not offset:
            return ""
        length = table.VectorLen(offset)
        if length > MAX_NAME:
            raise InputError(f"{self._path} has a name of {length:,} characters, at most {MAX_NAME:,}", do=_WHOLE)
        return str(table.String(table.Pos + offset).decode(errors="replace"))

    def _code(self, entry: Any) -> str:
        number = max(entry.BuiltinCode(), entry.DeprecatedBuiltinCode() if entry.BuiltinCode() <= _OLD_CODES else 0)
        name = _names("BuiltinOperator").get(number, f"operator {number}")
        return f"CUSTOM {self._text(entry._tab, _CUSTOM_CODE)}" if name == "CUSTOM" else name

    def _places(self, owner: Any, field: str) -> tuple[int, ...]:
        count = getattr(owner, f"{field}Length")()
        self._reads = self._count(self._reads + count, MAX_READS, "inputs and outputs of its operators")
        places = tuple(int(place) for place in getattr(owner, f"{field}AsNumpy")()) if count else ()
        for place in places:
            if not -1 <= place < self._tensor_count:
                raise InputError(f"{self._path} reads tensor {place} of {self._tensor_count}", do=_WHOLE)
        return places

    def _operator(self, entry: Any, kinds: list[str]) -> Operator:
        index = entry.OpcodeIndex()
        if index >= len(kinds):
            raise InputError(f"{self._path} has an operator of kind {index} of {len(kinds)}", do=_WHOLE)
        table = entry.BuiltinOptions()
        options = None if table is None else self._options(entry.BuiltinOptionsType(), table)
        return Operator(kinds[index], self._places(entry, "Inputs"), self._places(entry, "Outputs"), options)

    def _tensor(self, entry: Any, index: int) -> Tensor:
        name = self._text(entry._tab, _NAME)
        where = f"the tensor {name!r} of {self._path}"
        axes = self._count(entry.ShapeLength(), MAX_AXES, f"axes of {name!r}")
        shape = tuple(int(n) for n in entry.ShapeAsNumpy()) if axes else ()
        if any(not 0 <= length <= MAX_LENGTH for length in shape):
            raise InputError(f"{where} has the shape {list(shape)}", do=_WHOLE)
        free = [False] * axes
        if entry.ShapeSignatureLength() == axes and axes:
            free = [int(n) < 0 for n in entry.ShapeSignatureAsNumpy()]
        kind = _names("TensorType").get(entry.Type(), f"type {entry.Type()}")
        if entry.Sparsity() is not None or entry.ExternalBuffer():
            form = "outside the file" if entry.ExternalBuffer() else "in sparse form"
            raise InputError(f"{where} keeps its values {form}", do="convert the model again with dense weights inside")
        if entry.IsVariable():
            raise InputError(f"{where} is a variable, kept from picture to picture", do="export the generator alone")
        dtype = _DTYPES.get(kind)
        data = self._data(entry.Buffer(), shape, dtype or kind, where)
        is_whole = dtype is not None and "int" in dtype
        quantization = self._quantization(entry.Quantization(), shape, where) if is_whole else None
        if dtype is None and data is not None:
            raise InputError(f"{where} is of type {kind}, which is not read", do="export the model in float32 or int8")
        lengths = tuple(None if is_free else length for is_free, length in zip(free, shape, strict=True))
        return Tensor(name, dtype or kind, lengths, data, quantization, entry.Buffer())

    def _data(self, buffer: int, shape: tuple[int, ...], dtype: str, where: str) -> NDArray[Any] | None:
        if buffer >= self._model.BuffersLength():
            raise InputError(f"{where} is in buffer {buffer} of {self._model.BuffersLength()}", do=_WHOLE)
        entry = self._model.Buffers(buffer)
        stored = np.zeros(0, np.uint8)
        if entry.DataLength():
            stored = entry.DataAsNumpy()
        elif entry.Offset() > 1:  # in files of more than 2 GB, behind the flatbuffer
            stored = np.frombuffer(self._bytes, np.uint8)[entry.Offset() : entry.Offset() + entry.Size()]
        if not stored.size or dtype not in _DTYPES.values():
            return stored if stored.size else None
        count = math.prod(shape)
        expected = (count + 1) // 2 if dtype == "int4" else count * np.dtype(dtype).itemsize
        if stored.size != expected:
            raise InputError(
                f"{where} has the shape {list(shape)}: {expected:,} bytes expected, {stored.size:,} found", do=_WHOLE
            )
        self._room -= count
        if self._room < 0:
            raise InputError(f"{self._path} reads its buffers many times over", do=_WHOLE)
        return (_unpack4(stored, count) if dtype == "int4" else stored.view(dtype)).reshape(shape)

    def _quantization(self, entry: Any, shape: tuple[int, ...], where: str) -> Quantization | None:
        if entry is None or not entry.ScaleLength():
            if entry is not None and entry.DetailsType():
                raise InputError(f"{where} is quantized by blocks or by a rule of its own", do=_DENSE)
            return None
        count, axis = entry.ScaleLength(), entry.QuantizedDimension()
        if count > 1 and (not 0 <= axis < len(shape) or shape[axis] != count):
            raise InputError(f"{where} has {count:,} scales along axis {axis} of {list(shape)}", do=_WHOLE)
        scales = np.array(entry.ScaleAsNumpy(), np.float32)
        zeros = np.zeros(count, np.int64)
        if entry.ZeroPointLength():
            stored = np.array(entry.ZeroPointAsNumpy(), np.int64)
            if stored.size not in (1, count):
                raise InputError(f"{where} has {count:,} scales and {stored.size:,} zero points", do=_WHOLE)
            zeros[:] = stored
        if not (np.isfinite(scales).all() and (scales > 0).all() and np.abs(zeros).max() < 1 << 16):
            raise InputError(f"{where} has scales or zero points that mean nothing", do=_WHOLE)
        return Quantization(scales, zeros, axis)


_DENSE = "convert the model again with one scale for a tensor or for each channel"


def _unpack4(stored: NDArray[np.uint8], count: int) -> NDArray[np.int8]:
    """Integers of 4 bits, the lower half of a byte first."""
    halves = np.stack([stored & 15, stored >> 4], axis=1).reshape(-1)[:count].astype(np.int8)
    return np.where(halves > 7, halves - 16, halves).astype(np.int8)
