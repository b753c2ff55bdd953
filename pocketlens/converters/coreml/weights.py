"""How a Core ML package stores low-bit weights: ``constexpr_affine_dequantize`` and ``constexpr_lut_to_dense``, iOS 16
and up.

A pass over the converted program, after it has become float16: the constants are looked up by their values.
"""

import hashlib
import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.lowering import shape
from pocketlens.converters.quantized_weights import (
    AffineQuantizedWeights,
    QuantizedWeights,
    pack_indices,
    quantized_weights_of,
)
from pocketlens.converters.rewrites.spread_constants import is_spread_for_concat

_PASS = "pocketlens::compress_weights"


def pass_pipeline(model: ir.Model) -> Any:
    """Coremltools' passes, and after them the one that stores this graph's low-bit weights."""
    import coremltools as ct
    from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY

    low_bit = {
        _key(weights.dequantize()): weights
        for node in model.graph
        if (weights := quantized_weights_of(node.outputs[0]))
    }

    class StoreLowBitWeights(AbstractGraphPass):
        def apply(self, prog: Any) -> None:
            for function in prog.functions.values():
                for op in tuple(function.operations):
                    if op.op_type == "const" and _is_weight(op) and (weights := low_bit.get(_key(op.outputs[0].val))):
                        _replace(function, op, weights)

    # The registry is one of the whole process: each conversion puts its own pass there.
    PASS_REGISTRY.passes[_PASS] = StoreLowBitWeights()
    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes({"common::fuse_pad_conv"})  # it takes pads of the last two axes for pads of all, and fails
    spread = [math.prod(shape(node.outputs[0])) for node in model.graph if is_spread_for_concat(node)]
    largest = max((v.const_value.size for v in model.graph.initializers.values() if v.const_value), default=0)
    if spread and largest < min(spread):  # else it folds them to constants of the picture's size
        pipeline.set_options("common::const_elimination", {"skip_const_by_size": str(largest)})
    pipeline.append_pass(_PASS)
    return pipeline


def _key(array: NDArray[Any]) -> bytes:
    return hashlib.sha256(repr(array.shape).encode() + np.asarray(array, np.float16).tobytes()).digest()


def _is_weight(op: Any) -> bool:
    value = op.outputs[0].val
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim >= 2


def _replace(function: Any, op: Any, weights: QuantizedWeights) -> None:
    from coremltools.converters.mil import Builder

    old, dtype = op.outputs[0], op.outputs[0].val.dtype.type
    common = {"name": f"{op.name}_decoded", "before_op": op}
    with function:
        if isinstance(weights, AffineQuantizedWeights):
            new = Builder.constexpr_affine_dequantize(
                quantized_data=weights.values, zero_point=np.int8(0), scale=weights.scales.astype(dtype),
                axis=np.int32(weights.axis), **common,
            )  # fmt: skip
        else:
            new = Builder.constexpr_lut_to_dense(
                indices=pack_indices(weights), lut=weights.table.astype(dtype), shape=np.array(old.shape, np.uint32),
                **common,
            )  # fmt: skip
        function.replace_uses_of_var_after_op(anchor_op=op, old_var=old, new_var=new)
        function.remove_ops([op])
