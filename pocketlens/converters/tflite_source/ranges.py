"""The values of black and white that a quantized file itself says: its integers are the pixels."""

import numpy as np

from pocketlens.converters.ranges import Range
from pocketlens.converters.signature import Signature, part_of
from pocketlens.converters.tflite_source.flatbuffer import Tensor, TFLiteFile
from pocketlens.quality.plausible import USUAL_RANGES

_NEAR = 0.02
"""Of a usual range's width: how far the ends of the integers may be from it."""


def known_ranges(file: TFLiteFile, signature: Signature) -> tuple[Range | None, Range | None]:
    """The range of the picture that goes in and of the one that comes out, None where the file does not say it.

    A file of 8 bits says it where its lowest and highest integer stand for about 0 and 1, -1 and 1, or 0 and 255. The
    range is that of the integers, so that a pixel is the integer itself.
    """
    return _known(file, file.inputs, signature.input), _known(file, file.outputs, signature.output)


def _known(file: TFLiteFile, places: tuple[int, ...], name: str) -> Range | None:
    tensors = [file.tensors[place] for place in places if place >= 0]
    part = part_of(name, [tensor.name for tensor in tensors]) if name else None
    chosen = [t for t in tensors if (t.name == part[0] if part else len(t.shape) == 4)]
    return _integers(chosen[0]) if chosen else None


def _integers(tensor: Tensor) -> Range | None:
    if tensor.quantization is None or tensor.quantization.scales.size != 1 or tensor.dtype not in ("int8", "uint8"):
        return None
    scale, zero = float(tensor.quantization.scales[0]), int(tensor.quantization.zero_points[0])
    low, high = ((int(end) - zero) * scale for end in (np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max))
    for usual in USUAL_RANGES:
        if max(abs(low - usual[0]), abs(high - usual[1])) <= _NEAR * (usual[1] - usual[0]):
            return low, high
    return None
