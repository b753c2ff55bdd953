"""How the graph holds quantized weights."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.quantized_weights import (
    AffineQuantizedWeights,
    LutWeights,
    pack_indices,
    quantized_weights_of,
)
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from tests.generators import small_graph


def test_indices_are_packed_as_the_interpreter_unpacks_them() -> None:
    from pocketlens.runtimes.mil.values import unpack

    for bits in (4, 6, 8):
        indices = np.random.default_rng(bits).integers(0, 1 << bits, (3, 7)).astype(np.uint8)
        made = pack_indices(LutWeights(np.zeros(1 << bits, np.float32), indices))
        assert (unpack(made, bits, 21) == indices.reshape(-1)).all()


def test_forms_that_are_not_ours_are_left_alone() -> None:
    graph = quantize_weights(small_graph(), "w8")
    decoded = [n for n in graph.graph if n.op_type == "DequantizeLinear"]
    assert decoded
    assert all(isinstance(quantized_weights_of(n.outputs[0]), AffineQuantizedWeights) for n in decoded)
    zero = hub.add_constant(graph, "zero", np.full(1, 3, np.int8))
    odd = ir.node("DequantizeLinear", [*decoded[0].inputs, zero])
    assert quantized_weights_of(odd.outputs[0]) is None
    assert quantized_weights_of(graph.graph.inputs[0]) is None
