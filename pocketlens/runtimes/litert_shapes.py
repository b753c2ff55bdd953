"""Shapes that operators of a ``.tflite`` file ask for by constants, beside those that the file declares.

The runtime computes every shape anew from such constants before anything else: one flipped bit in a padding makes it take
gigabytes, or minutes, whatever the file says of the result. A file that contradicts itself is refused before that.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.errors import InputError

Shape = tuple[int, ...]


def check(path: Path, interpreter: Any, most: int) -> None:
    """Compare what the operators ask for with what the file declares.

    Args:
        path: The file, for messages.
        interpreter: It, opened and without memory yet.
        most: Most values that a tensor may have.

    Raises:
        InputError: An operator asks for another shape than the file declares, or for more than ``most`` values.
    """
    operators = getattr(interpreter, "_get_ops_details", None)
    if operators is None:  # a library too old to tell
        return
    tensors = {one["index"]: one for one in interpreter.get_tensor_details()}
    for operator in operators():
        inputs = [int(index) for index in operator["inputs"]]
        shape = _asked(operator["op_name"], inputs, tensors, interpreter)
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


def _asked(name: str, inputs: Sequence[int], tensors: dict[int, Any], interpreter: Any) -> Shape | None:
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
        asked = values(0)
        return None if asked is None else tuple(asked)
    if name == "BROADCAST_TO":
        asked = values(1)
        return None if asked is None else tuple(asked)
    if name in ("PAD", "PADV2", "MIRROR_PAD"):
        pads, taken = values(1), shape(0)
        if pads is None or len(pads) != 2 * len(taken):
            return None
        return tuple(n + pads[2 * i] + pads[2 * i + 1] for i, n in enumerate(taken))
    if name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        size, taken = values(1), shape(0)
        return None if size is None or len(size) != 2 or len(taken) != 4 else (taken[0], *size, taken[3])
    if name == "TILE":
        times, taken = values(1), shape(0)
        return None if times is None or len(times) != len(taken) else tuple(np.multiply(times, taken).tolist())
    return None
