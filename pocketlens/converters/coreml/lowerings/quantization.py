"""QuantizeLinear and DequantizeLinear of computed values: iOS 17 and up. Of weights they are no operations; see ``compress``."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.coreml.registry import Scope, Var, lowering, needs_constants

_KINDS: dict[np.dtype[np.generic], str] = {np.dtype("uint8"): "uint8", np.dtype("int8"): "int8"}


def _check(node: ir.Node) -> str:
    if reason := needs_constants(node, 1, 2):
        return reason
    scale, zero = constant(node.inputs[1]), _zero(node)
    if scale is None or scale.size != 1 or zero.size != 1:
        return "it has a scale for each channel, and only one for all is known"
    if zero.dtype not in _KINDS:
        return f"it makes {zero.dtype}, and Core ML knows int8 and uint8"
    return ""


def _zero(node: ir.Node) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    zero = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return np.zeros((), np.uint8) if zero is None else zero.reshape(())


def _common(scope: Scope, node: ir.Node) -> dict[str, object]:
    scale = constant(node.inputs[1])
    assert scale is not None
    return {"input": scope.get(node.inputs[0]), "scale": np.float32(scale.reshape(())), "zero_point": _zero(node)[()]}


@lowering("QuantizeLinear", check=_check, needs="one constant scale, int8 or uint8")
def quantize(scope: Scope, node: ir.Node) -> Var:
    """``quantize``."""
    return scope.op("quantize", output_dtype=_KINDS[_zero(node).dtype], **_common(scope, node))


@lowering("DequantizeLinear", check=_check, needs="one constant scale, int8 or uint8")
def dequantize(scope: Scope, node: ir.Node) -> Var:
    """``dequantize``."""
    return scope.op("dequantize", **_common(scope, node))
