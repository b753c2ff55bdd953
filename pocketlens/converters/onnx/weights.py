"""How an ``.onnx`` file stores weights: float16 behind a Cast for ``fp16``, else as the graph has them."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant

_MIN_ELEMENTS = 256
"""Tensors of fewer elements stay float32 in fp16 files: norms and scalars, a few hundred bytes that cost accuracy."""
_FLOAT16_MAX = float(np.finfo(np.float16).max)


def store_float16(model: ir.Model) -> None:
    """Store large weights as float16, in place.

    It halves the file: each weight stands behind a Cast, which runtimes fold when they load, so that arithmetic and
    speed stay those of float32 (see docs/decisions/0002).
    """
    for value in tuple(model.graph.initializers.values()):
        array = constant(value)
        if array is None or array.dtype != np.float32 or array.size < _MIN_ELEMENTS:
            continue
        if np.abs(array).max() > _FLOAT16_MAX:
            continue
        stored = hub.add_constant(model, f"{value.name}_fp16", array.astype(np.float16))
        cast = ir.node("Cast", [stored], {"to": ir.DataType.FLOAT}, name=f"{value.name}_cast")
        cast.outputs[0].shape, cast.outputs[0].dtype = value.shape, ir.DataType.FLOAT
        for node, index in tuple(value.uses()):
            node.replace_input_with(index, cast.outputs[0])
        model.graph.insert_before(model.graph[0], cast)
        del model.graph.initializers[str(value.name)]
