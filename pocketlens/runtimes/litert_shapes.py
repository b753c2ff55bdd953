"""Compares the shapes that operators of a ``.tflite`` file compute with those that the file declares.

The runtime computes every shape anew from such constants before anything else: one flipped bit in a padding makes it
take gigabytes, or minutes, whatever shape the file declares. A file that contradicts itself is refused before that. So
is one in which an operand is left out that has to be there: LiteRT's kernels look into it without asking, and the
process dies.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.errors import InputError

Shape = tuple[int, ...]
_OPTIONAL = {
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "FULLY_CONNECTED": 2,
    "TRANSPOSE_CONV": 3,
    "CONV_3D": 2,
    "CONV_3D_TRANSPOSE": 3,
    "SVDF": 4,
    "LSTM": 1,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "BIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "BIDIRECTIONAL_SEQUENCE_RNN": 1,
}
"""Operators that may leave operands out, and the first place where they may."""


def check(path: Path, interpreter: Any, most: int) -> None:
    """Compare the shapes that operators compute from constants with the declared ones.

    Args:
        path: The file, for messages.
        interpreter: The file, opened, with no memory allocated yet.
        most: Most values that a tensor may have.

    Raises:
        InputError: An operator asks for another shape than the file declares, for more than ``most`` values, or for
            nothing where it needs a tensor.
    """
    operators = getattr(interpreter, "_get_ops_details", None)
    if operators is None:  # a library too old to tell
        return
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    for operator in operators():
        inputs = [int(index) for index in operator["inputs"]]
        absent = [place for place, index in enumerate(inputs) if index not in tensors]
        needed = any(place < _OPTIONAL.get(operator["op_name"], len(inputs)) for place in absent)
        if needed or any(int(index) not in tensors for index in operator["outputs"]):
            raise InputError(
                f"{path} leaves out an operand that {operator['op_name']} needs",
                do="check that the file is whole, or convert it again",
            )
        shape = _requested_shape(operator["op_name"], inputs, tensors, interpreter)
        result = tensors.get(int(operator["outputs"][0])) if len(operator["outputs"]) else None
        if shape is None or result is None:
            continue
        declared = [int(n) for n in result.get("shape_signature", result["shape"])]
        if min(shape, default=1) < 0 or math.prod(shape) > most or (-1 not in declared and list(shape) != declared):
            raise InputError(
                f"{path} contradicts itself: {operator['op_name']} makes {list(shape)} of {result['name']!r},"
                f" which is declared as {declared}",
                do="check that the file is whole, or convert it again",
            )


def _requested_shape(name: str, inputs: Sequence[int], tensors: dict[int, Any], interpreter: Any) -> Shape | None:
    """The shape of the first output where constants decide it; None where they do not."""

    def values(place: int) -> list[int] | None:
        try:
            array = interpreter.get_tensor(inputs[place])
        except (ValueError, IndexError):  # computed while it plays, or not there
            return None
        return [int(n) for n in np.ravel(array)] if array.dtype.kind == "i" and array.size <= 16 else None

    def shape(place: int) -> Shape:
        return tuple(int(n) for n in tensors[inputs[place]]["shape"]) if inputs[place] in tensors else ()

    if name in ("TRANSPOSE_CONV", "FILL"):
        requested = values(0)
        return None if requested is None else tuple(requested)
    if name == "BROADCAST_TO":
        requested = values(1)
        return None if requested is None else tuple(requested)
    if name in ("PAD", "PADV2", "MIRROR_PAD"):
        pads, input_shape = values(1), shape(0)
        if pads is None or len(pads) != 2 * len(input_shape):
            return None
        return tuple(n + pads[2 * i] + pads[2 * i + 1] for i, n in enumerate(input_shape))
    if name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        size, input_shape = values(1), shape(0)
        return (
            None if size is None or len(size) != 2 or len(input_shape) != 4 else (input_shape[0], *size, input_shape[3])
        )
    if name == "TILE":
        times, input_shape = values(1), shape(0)
        return (
            None if times is None or len(times) != len(input_shape) else tuple(np.multiply(times, input_shape).tolist())
        )
    return None
