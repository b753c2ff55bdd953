"""Activations that the NPU's compiler would merge into the convolution in front of them, and read from a coarse table.

In half precision a Tanh alone is off by at most 0.0004; behind a convolution by up to 0.0075 (docs/upstream.md). A Clip
between the two keeps them apart.
"""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant

_MERGED = frozenset({"Tanh", "Sigmoid", "Gelu"})
"""Those that lose by it: HardSwish is nearer as it is, and ConvTranspose is merged with none."""
_AFFINE = frozenset({"Add", "Sub", "Mul", "Div"})
"""Folded into the convolution by the compiler, where the other operand is constant."""
_LARGEST = float(np.finfo(np.float16).max)


def keep_activations_exact(model: ir.Model) -> int:
    """Put a Clip in front of activations that read a convolution, in place.

    Exact: the limits are the largest numbers of half precision, so that no value is changed.

    Returns:
        How many there are.
    """
    activations = [node for node in model.graph if node.op_type in _MERGED and _reads_convolution(node.inputs[0])]
    for node in activations:
        value = node.inputs[0]
        assert value is not None
        limits = [
            hub.add_constant(model, f"half_{name}", np.array(number, np.float32))
            for name, number in (("lowest", -_LARGEST), ("largest", _LARGEST))
        ]
        kept = ir.Value(name=f"{value.name}_apart_{node.name}", shape=value.shape, type=value.type)
        model.graph.insert_before(node, ir.node("Clip", [value, *limits], name=f"{node.name}_apart", outputs=[kept]))
        node.replace_input_with(0, kept)
    return len(activations)


def _reads_convolution(value: ir.Value | None) -> bool:
    node = value.producer() if value is not None else None
    while node is not None and node.op_type in _AFFINE:
        computed = [operand for operand in node.inputs if constant(operand) is None]
        if len(computed) != 1 or computed[0] is None:
            return False
        node = computed[0].producer()
    return node is not None and node.op_type == "Conv"
