"""QuantizeLinear and DequantizeLinear of computed values, iOS 17 and up; weights are in ``coreml/weights.py``."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import needs_constants, optional

_DTYPES: dict[np.dtype[np.generic], str] = {np.dtype("uint8"): "uint8", np.dtype("int8"): "int8"}


def _check(node: ir.Node) -> str:
    if reason := needs_constants(node, "its scale or zero point is", 1, 2):
        return reason
    scale, zero_point = constant(node.inputs[1]), _zero_point(node)
    if scale is None or scale.size != 1 or zero_point.size != 1:
        return "it has a scale for each channel, and only one for all is known"
    if zero_point.dtype not in _DTYPES:
        return f"it makes {zero_point.dtype}, and Core ML knows int8 and uint8"
    return ""


def _zero_point(node: ir.Node) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    zero_point = constant(optional(node, 2))
    return np.zeros((), np.uint8) if zero_point is None else zero_point.reshape(())


def _shared_inputs(builder: MILBuilder, node: ir.Node) -> dict[str, object]:
    scale = constant(node.inputs[1])
    assert scale is not None
    return {
        "input": builder.get(node.inputs[0]),
        "scale": np.float32(scale.reshape(())),
        "zero_point": _zero_point(node)[()],
    }


@lowering("QuantizeLinear", check=_check, needs="one constant scale, int8 or uint8")
def quantize(builder: MILBuilder, node: ir.Node) -> Var:
    """``quantize``."""
    return builder.add("quantize", output_dtype=_DTYPES[_zero_point(node).dtype], **_shared_inputs(builder, node))


@lowering("DequantizeLinear", check=_check, needs="one constant scale, int8 or uint8")
def dequantize(builder: MILBuilder, node: ir.Node) -> Var:
    """``dequantize``."""
    return builder.add("dequantize", **_shared_inputs(builder, node))
