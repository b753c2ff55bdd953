"""The program of a package: its operations in order, its constants decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.errors import InputError
from pocketlens.runtimes.mil.blobs import BlobFile
from pocketlens.runtimes.mil.decode import DECODERS
from pocketlens.runtimes.mil.package import Package, damaged
from pocketlens.runtimes.mil.values import Constant, Type, from_bytes, immediate, type_of

_FUNCTION = "main"
_MOST = 1 << 26
"""Elements of an input besides the picture."""
_MOST_ENDS = 64
"""Inputs, and outputs, at most."""


@dataclass(frozen=True)
class Output:
    """An output of an operation, with the type that the package declares."""

    name: str
    type: Type


@dataclass(frozen=True)
class Operation:
    """One step.

    Attributes:
        kind: The operation, for instance ``"conv"``.
        arguments: Parameter to the names of its values.
        outputs: Its outputs, in order.
    """

    kind: str
    arguments: dict[str, tuple[str, ...]]
    outputs: tuple[Output, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.outputs[0].name!r}" if self.outputs else self.kind


@dataclass(frozen=True)
class Program:
    """A program that can be run.

    Attributes:
        image: The first input.
        operations: In order, without constants.
        constants: By name.
        results: The names of the outputs, the picture first.
        others: The inputs besides the picture.
    """

    image: Output
    operations: tuple[Operation, ...]
    constants: dict[str, Constant]
    results: tuple[str, ...]
    others: tuple[Output, ...] = ()

    @property
    def precision(self) -> str:
        """``fp16`` if any operation but a cast has an fp16 output, else ``fp32``."""
        kinds = {output.type.kind for op in self.operations if op.kind != "cast" for output in op.outputs}
        return "fp16" if "FLOAT16" in kinds else "fp32"


class _Reader:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._files: dict[Path, BlobFile] = {}
        self.constants: dict[str, Constant] = {}

    def value(self, proto: Any) -> Constant:
        """A literal, from the program or from a weight file."""
        declared = type_of(proto.type)
        if proto.WhichOneof("value") == "blobFileValue":
            path = self._package.weight_file(proto.blobFileValue.fileName)
            file = self._files.setdefault(path, BlobFile(path))
            return from_bytes(file.read(proto.blobFileValue.offset, declared.kind), declared)
        return immediate(proto.immediateValue, declared)

    def arguments(self, proto: Any) -> dict[str, tuple[str, ...]]:
        """The names bound to each parameter; a literal gets a name of its own."""
        bound: dict[str, tuple[str, ...]] = {}
        for parameter in sorted(proto.inputs):
            names = []
            for place, binding in enumerate(proto.inputs[parameter].arguments):
                name = binding.name
                if binding.WhichOneof("binding") == "value":
                    name = f"{proto.outputs[0].name}.{parameter}.{place}"
                    self.constants[name] = self.value(binding.value)
                names.append(name)
            bound[parameter] = tuple(names)
        return bound

    def decode(self, proto: Any) -> None:
        """A compressed weight: its arguments are attributes (iOS 16) or inputs (iOS 18)."""
        literal = {name: self.value(proto.attributes[name]) for name in sorted(proto.attributes) if name != "name"}
        bound = {parameter: self.constants[names[0]] for parameter, names in self.arguments(proto).items()}
        decoded = DECODERS[proto.type]({**literal, **bound})
        for output, array in zip(proto.outputs, decoded, strict=True):
            declared = type_of(output.type)
            if array.shape != declared.shape:
                raise ValueError(f"it decodes to {list(array.shape)}, declared is {list(declared.shape)}")
            half = declared.kind == "FLOAT16"
            self.constants[output.name] = array.astype(np.float16) if half else array


def _main_block(package: Package) -> tuple[Any, Any]:
    functions = package.spec.mlProgram.functions
    if _FUNCTION not in functions:
        raise damaged(package.path, f"it has no function {_FUNCTION!r}")
    function = functions[_FUNCTION]
    if function.opset not in function.block_specializations:
        raise damaged(package.path, f"it has no block for {function.opset!r}")
    return function, function.block_specializations[function.opset]


def read(package: Package, runnable: Callable[[str], bool]) -> Program:
    """Read and decode a package's program.

    Args:
        package: From :func:`pocketlens.runtimes.mil.package.read`.
        runnable: Whether there is a rule for an operation.

    Raises:
        InputError: Something is damaged, or there are operations that cannot be run; all of them are named.
    """
    function, block = _main_block(package)
    kinds = {op.type for op in block.operations}
    unknown = sorted(k for k in kinds if k != "const" and k not in DECODERS and not runnable(k))
    nested = sorted({op.type for op in block.operations if op.blocks})
    if unknown or nested:
        raise InputError(
            f"{package.path} has operations that cannot be interpreted: {', '.join(unknown or nested)}",
            do="run it with Core ML, on macOS or on a device",
        )
    if not (1 <= len(function.inputs) <= _MOST_ENDS and 1 <= len(block.outputs) <= _MOST_ENDS):
        raise InputError(
            f"{package.path} has {len(function.inputs)} inputs and {len(block.outputs)} outputs, expected one picture "
            f"each, and at most {_MOST_ENDS - 1} others",
            do="convert the generator alone",
        )
    reader = _Reader(package)
    operations = []
    for proto in block.operations:
        try:
            if proto.type == "const":
                reader.constants[proto.outputs[0].name] = reader.value(proto.attributes["val"])
            elif proto.type in DECODERS:
                reader.decode(proto)
            else:
                outputs = tuple(Output(o.name, type_of(o.type)) for o in proto.outputs)
                operations.append(Operation(proto.type, reader.arguments(proto), outputs))
        except (ValueError, KeyError, IndexError, TypeError, OverflowError, MemoryError, OSError) as error:
            where = f"{proto.type} {proto.outputs[0].name!r}" if proto.outputs else proto.type
            raise damaged(package.path, f"{where}: {error}") from error
    try:
        image, *others = (Output(value.name, type_of(value.type)) for value in function.inputs)
    except ValueError as error:
        raise damaged(package.path, f"its input: {error}") from error
    if any(not all(n and n > 0 for n in other.type.shape) or other.type.size > _MOST for other in others):
        raise damaged(package.path, "an input besides the picture has no fixed, small shape")
    return Program(image, tuple(operations), reader.constants, tuple(block.outputs), tuple(others))
