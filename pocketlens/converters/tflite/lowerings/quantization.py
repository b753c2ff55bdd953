"""QuantizeLinear and DequantizeLinear of computed values; weights are stored by ``tflite/weights.py``."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import floats, optional
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_DTYPES = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int16))
_NEEDS = "one constant scale; uint8, int8, or int16 around 0"


def _check(node: ir.Node) -> str:
    scale, zero_point = constant(node.inputs[1]), _zero_point(node)
    if scale is None or zero_point is None or scale.size != 1 or zero_point.size != 1:
        return "it has a scale for each channel, or one that is computed"
    if zero_point.dtype not in _DTYPES:
        return f"it makes {zero_point.dtype}, and TFLite knows {', '.join(dtype.name for dtype in _DTYPES)}"
    if zero_point.dtype == np.int16 and zero_point.item():
        return "its 16-bit numbers do not lie around 0"
    return ""


@lowering("QuantizeLinear", check=_check, needs=_NEEDS)
def quantize(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """QUANTIZE."""
    scale, zero_point = _quantization_parameters(node)
    x = builder.get(node.inputs[0])
    version = 1 if zero_point.dtype != np.int16 else 2
    quantized = builder.add("QUANTIZE", [x], x.shape, version, zero_point.dtype.type)
    quantized.scales, quantized.zero_point = scale, int(zero_point)
    return quantized


def _check_dequantize(node: ir.Node) -> str:
    if reason := _check(node):
        return reason
    source, zero_point = node.inputs[0], _zero_point(node)
    assert source is not None and zero_point is not None
    if source.dtype is not None and source.dtype.numpy() != zero_point.dtype:
        return f"it reads {source.dtype.numpy()} as {zero_point.dtype}"
    return ""


@lowering("DequantizeLinear", check=_check_dequantize, needs=_NEEDS)
def dequantize(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """DEQUANTIZE, version 2 of which is the first that takes signed numbers; version 3 takes 16 bits."""
    scale, zero_point = _quantization_parameters(node)
    x = builder.get(node.inputs[0])
    assert x.dtype == zero_point.dtype
    if x.scales is None:
        x.scales, x.zero_point = scale, int(zero_point)
    return builder.add("DEQUANTIZE", [x], x.shape, {"uint8": 1, "int8": 2}.get(x.dtype.name, 3))


def _zero_point(node: ir.Node) -> NDArray[np.generic] | None:
    """The zero point, 0 if it is left out; None if it is computed."""
    value = optional(node, 2)
    return np.array(0, np.uint8) if value is None else constant(value)


def _quantization_parameters(node: ir.Node) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
    scale, zero_point = floats(node, 1), _zero_point(node)
    assert scale is not None and zero_point is not None
    return scale.reshape(1), zero_point.reshape(())
