"""Writes a ``.tflite`` file: numbers every tensor, lays out the buffers, packs the flatbuffer."""

import hashlib
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.converters.tflite import metadata
from pocketlens.converters.tflite.builder import Operator, Tensor

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_ALIGNMENT = 16
_SIGNATURE = "serving_default"
_TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
"""numpy's types as the schema numbers them."""

_LAST_OLD_CODE = 127
"""Operator numbers above it do not fit the field that old readers look at; there they find this one."""

_OPTIONS = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "CUMSUM": "CumsumOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
}
"""The options table of each operator whose kernel reads one."""


class _AlignedBuffer(schema.BufferT):
    """A buffer whose data starts at a multiple of 16 bytes.

    The schema asks for it (``force_align``) and kernels rely on it; the generated Python packer forgets.
    """

    def Pack(self, builder: Any) -> Any:  # noqa: N802  (overrides generated code)
        data = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), _ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class _Numbering:
    """Gives tensors, buffers and operator codes their numbers, in order of first use."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [_AlignedBuffer()]  # number 0 is the empty one, of everything that is computed
        self.codes: list[Any] = []
        self.bytes = 0
        self._known: dict[Any, int] = {}

    def tensor(self, tensor: Tensor) -> int:
        """The tensor's number. Constants of equal content, shape and type share one."""
        key: Any = id(tensor)
        data = None
        if tensor.data is not None:
            data = np.ascontiguousarray(tensor.data).tobytes()
            scales = b"" if tensor.scales is None else tensor.scales.tobytes()
            key = (hashlib.sha256(data).digest(), tensor.shape, tensor.dtype.name, scales)
        if key not in self._known:
            entry = schema.TensorT()
            entry.name, entry.type = tensor.name, _TYPES[tensor.dtype.name]
            entry.shape = np.array(tensor.shape, np.int32)
            entry.buffer = 0 if data is None else self.buffer(data)
            entry.hasRank = True
            if tensor.scales is not None and tensor.dtype.kind in "iu":
                entry.quantization = _quantization(tensor)
            self._known[key] = len(self.tensors)
            self.tensors.append(entry)
        return self._known[key]

    def buffer(self, data: bytes) -> int:
        """The number of a new buffer."""
        entry = _AlignedBuffer()
        entry.data = data
        self.bytes += len(data) + _ALIGNMENT
        self.buffers.append(entry)
        return len(self.buffers) - 1

    def code(self, operator: Operator) -> int:
        """The number of an operator at a version."""
        key = (operator.code, operator.version)
        if key not in self._known:
            entry = schema.OperatorCodeT()
            entry.builtinCode = getattr(schema.BuiltinOperator, operator.code)
            entry.deprecatedBuiltinCode = min(entry.builtinCode, _LAST_OLD_CODE)
            entry.version = operator.version
            self._known[key] = len(self.codes)
            self.codes.append(entry)
        return self._known[key]


def _quantization(tensor: Tensor) -> Any:
    entry = schema.QuantizationParametersT()
    assert tensor.scales is not None
    entry.scale, entry.zeroPoint = tensor.scales, np.full(len(tensor.scales), tensor.zero_point, np.int64)
    entry.quantizedDimension = tensor.channel_axis
    return entry


def flatbuffer(operators: list[Operator], inputs: list[Tensor], outputs: list[Tensor], labels: Labels) -> bytes:
    """The bytes of a ``.tflite`` file with one subgraph and a signature; the picture is first in both its lists."""
    numbers = _Numbering()
    subgraph = schema.SubGraphT()
    subgraph.name = "main"
    subgraph.inputs, subgraph.outputs = ([numbers.tensor(t) for t in tensors] for tensors in (inputs, outputs))
    subgraph.operators = [_operator(numbers, operator) for operator in operators]
    subgraph.tensors = numbers.tensors
    model = schema.ModelT()
    model.version = _SCHEMA_VERSION
    model.description = _description(labels)
    model.subgraphs = [subgraph]
    model.operatorCodes = numbers.codes
    input_names, output_names = [tensor.name for tensor in inputs], [hub.OUTPUT, *(t.name for t in outputs[1:])]
    model.signatureDefs = [_signature(subgraph, input_names, output_names)]
    entry = schema.MetadataT()
    entry.name, entry.buffer = (
        metadata.NAME,
        numbers.buffer(metadata.pack_metadata(labels, input_names, [tensor.name for tensor in outputs])),
    )
    model.metadata = [entry]
    model.buffers = numbers.buffers
    # The right size from the start: the builder would otherwise double and copy itself over and over.
    builder = flatbuffers.Builder(numbers.bytes + 512 * (len(operators) + len(numbers.tensors)) + 4096)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _operator(numbers: _Numbering, operator: Operator) -> Any:
    entry = schema.OperatorT()
    entry.opcodeIndex = numbers.code(operator)
    entry.inputs = [numbers.tensor(t) for t in operator.inputs]
    entry.outputs = [numbers.tensor(t) for t in operator.outputs]
    kind = _OPTIONS.get(operator.code)
    if kind is not None:
        options = getattr(schema, f"{kind}T")()
        for field, value in operator.options.items():
            assert hasattr(options, field), f"{kind} has no field {field}"
            setattr(options, field, value)
        entry.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        entry.builtinOptions = options
    else:
        assert not operator.options, f"{operator.code} is given options that would be lost"
    return entry


def _signature(subgraph: Any, input_names: list[str], output_names: list[str]) -> Any:
    """The signature, which names inputs and outputs: quantizers and the newer runtime APIs need one."""
    signature = schema.SignatureDefT()
    signature.signatureKey = _SIGNATURE
    for field, names, numbers in (
        ("inputs", input_names, subgraph.inputs),
        ("outputs", output_names, subgraph.outputs),
    ):
        entries = []
        for name, number in zip(names, numbers, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name, number
            entries.append(entry)
        setattr(signature, field, entries)
    return signature


def _description(labels: Labels) -> str:
    text = f"{labels.name} {labels.version}: {labels.description}".rstrip(": ")
    return f"{text} (license {labels.license}, author {labels.author})"
