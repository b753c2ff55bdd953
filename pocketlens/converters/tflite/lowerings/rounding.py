"""QuantizeLinear and DequantizeLinear of computed values: bytes of pixels, and 16-bit activations. Of weights they are no operations."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.constants import constant
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.registry import lowers

_KINDS = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int16))
_NEEDS = "one constant scale; uint8, int8, or int16 around 0"


@lowers("QuantizeLinear", needs=_NEEDS)
def quantize(draft: Draft, node: ir.Node) -> Tensor:
    """QUANTIZE."""
    scale, zero = _step(node)
    x = draft.of(node.inputs[0])
    made = draft.add("QUANTIZE", [x], x.shape, 1 if zero.dtype != np.int16 else 2, zero.dtype.type)
    made.scales, made.zero = scale, int(zero)
    return made


@lowers("DequantizeLinear", needs=_NEEDS)
def dequantize(draft: Draft, node: ir.Node) -> Tensor:
    """DEQUANTIZE, version 2 of which is the first that takes signed numbers; version 3 takes 16 bits."""
    scale, zero = _step(node)
    x = draft.of(node.inputs[0])
    if x.dtype != zero.dtype:
        raise Refused(f"it reads {x.dtype} as {zero.dtype}")
    if x.scales is None:
        x.scales, x.zero = scale, int(zero)
    return draft.add("DEQUANTIZE", [x], x.shape, {"uint8": 1, "int8": 2}.get(x.dtype.name, 3))


def _step(node: ir.Node) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
    scale = constant(node.inputs[1])
    given = node.inputs[2] if len(node.inputs) > 2 else None
    zero = np.array(0, np.uint8) if given is None else constant(given)
    if scale is None or zero is None or scale.size != 1 or zero.size != 1:
        raise Refused("it has a scale for each channel, or one that is computed")
    if zero.dtype not in _KINDS:
        raise Refused(f"it makes {zero.dtype}, and TFLite knows {', '.join(kind.name for kind in _KINDS)}")
    if zero.dtype == np.int16 and zero.item():
        raise Refused("its 16-bit numbers do not lie around 0")
    return scale.astype(np.float32).reshape(1), zero.reshape(())
