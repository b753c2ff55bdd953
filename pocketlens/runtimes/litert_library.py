"""The library that plays ``.tflite`` files, and the checks of a file before the library opens it."""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens import machine
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes import litert_shapes, ports

LIBRARIES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}
"""Import names in order of preference, and the distributions that have them."""

_IDENTIFIER = b"TFL3"
_LEAST_BYTES = 32
"""A file with one empty subgraph is longer."""

MAX_VALUES = 1 << 30
"""Most values that a tensor may have: 4 GiB of floats, 64 channels of a 4096 x 4096 picture."""


def name() -> str:
    """The import name of the installed library.

    Raises:
        MissingError: No library is installed.
    """
    library = next((library for library in LIBRARIES if find_spec(library)), None)
    if library is None:
        raise MissingError("ai-edge-litert is not installed", do="pip install 'pocketlens[litert]'")
    return library


def version() -> str:
    """The library's version."""
    return machine.distribution_version(LIBRARIES[name()])


def module() -> Any:
    """The library's module with the interpreter.

    Raises:
        MissingError: No library is installed, or the installed one cannot work with this numpy.
    """
    if name() == "ai_edge_litert":
        from ai_edge_litert import interpreter

        return interpreter
    # Built against numpy 1: under numpy 2 it imports and then fails inside C++ when a model is opened. pip allows the
    # pair.
    if int(np.__version__.split(".")[0]) >= 2:
        raise MissingError(
            f"tflite-runtime cannot work with numpy {np.__version__}: it was built for numpy 1",
            do="pip install ai-edge-litert, or pip install 'numpy<2'",
        )
    from tflite_runtime import interpreter

    return interpreter


def check_file(path: Path) -> None:
    """Check the size and the identifier of a file; ai-edge-litert checks every offset itself.

    Raises:
        InputError: It is no TFLite file.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file", do="give a .tflite file")
    with path.open("rb") as stream:
        head = stream.read(8)
    size = path.stat().st_size
    if size < _LEAST_BYTES or head[4:8] != _IDENTIFIER:
        start = f"{size} bytes, identifier {head[4:8]!r}"
        raise InputError(f"{path} is not a TFLite file: {start}, expected {_IDENTIFIER!r}", do="check that it is whole")


def check_sizes(path: Path, interpreter: Any) -> None:
    """Refuse huge tensors before memory is allocated for them: one flipped bit in a shape makes gigabytes.

    Raises:
        InputError: A tensor has more than :data:`MAX_VALUES` values, or an operator asks for another shape than is
            declared.
    """
    for tensor in interpreter.get_tensor_details():
        values = math.prod(int(n) for n in tensor["shape"])
        if values > MAX_VALUES:
            raise InputError(
                f"{path} has a tensor {tensor['name']!r} of {values:,} values, more than {MAX_VALUES:,}",
                do="check that the file is whole, or build it for a smaller size",
            )
    litert_shapes.check(path, interpreter, MAX_VALUES)


def resolve_sizes(interpreter: Any, size: tuple[int, int] | None) -> None:
    """Fix the inputs' open axes: one picture, of the height and width that were asked for, if any were."""
    for detail in interpreter.get_input_details() if size else ():
        shape = [int(n) if n > 0 else "?" for n in detail.get("shape_signature", detail["shape"])]
        if "?" in shape:
            interpreter.resize_tensor_input(detail["index"], ports.resolve_shape(shape, size))


def port(detail: dict[str, Any]) -> ports.Port:
    """An input or output, from an opened file's detail of it."""
    scale, zero_point = detail["quantization"]
    shape = tuple(int(n) for n in detail["shape"])
    return ports.Port(detail["name"], np.dtype(detail["dtype"]).name, shape, float(scale), int(zero_point))


def partitions(interpreter: Any) -> int | None:
    """How many parts of a loaded file's graph a delegate computes; None where the library does not tell."""
    # Names alone: the library's own list of operators also reads each one's tensors, which nobody needs here.
    inner: Any = getattr(interpreter, "_interpreter", None)
    if not (hasattr(inner, "NumNodes") and hasattr(inner, "NodeName")):
        return None
    return [str(inner.NodeName(index)) for index in range(inner.NumNodes())].count("DELEGATE")
