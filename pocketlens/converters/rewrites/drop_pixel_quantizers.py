"""A quantizer of the picture itself that leaves every pixel as it is."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import GraphPass

_TOLERANCE = 1e-3
"""Of a step: how far a pixel may be from a whole one, for the arithmetic that scales it."""
_ARITHMETIC = {"Add": np.add, "Mul": np.multiply}
_MOVES = ("Identity", "Reshape", "Transpose")


class DropPixelQuantizers(GraphPass):
    """Take out QuantizeLinear and DequantizeLinear behind the picture where all of 0 to 255 are steps of theirs, and
    no layer of the graph reads other rounded values: then only its picture comes as bytes, and it is a graph of floats.

    With the range that the scale of such a picture says each pixel is a step: ``dequantize(quantize(p)) = p`` for each
    of the 256, which is tried out. Exact for whole pixels, up to the last bit of a float.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Follow the picture from the input on."""
        value, pixels = model.graph.inputs[0], np.arange(256, dtype=np.float32)
        while True:
            readers = [reader for reader, _ in value.uses()]
            if len(readers) != 1 or value.is_graph_output():
                return ir.passes.PassResult(model, False)
            (node,) = readers
            if node.op_type == "QuantizeLinear":
                break
            moved = _follow(node, value, pixels)
            if moved is None:
                return ir.passes.PassResult(model, False)
            value, pixels = node.outputs[0], moved
        modified = False
        if any(_reads_steps(layer, node) for layer in model.graph):
            return ir.passes.PassResult(model, False)
        for reader, _ in tuple(node.outputs[0].uses()):
            if reader.op_type == "DequantizeLinear" and _keeps(node, reader, pixels):
                edit.replace(reader.outputs[0], value)
                modified = True
        return ir.passes.PassResult(model, modified)


def _reads_steps(layer: ir.Node, aside: ir.Node) -> bool:
    """Whether a convolution or product reads rounded values but those of one quantizer."""
    if layer.op_type not in hub.WEIGHTED_OPERATORS:
        return False
    value = layer.inputs[0]
    while (move := edit.producer(value, *_MOVES)) is not None:
        value = move.inputs[0]
    source = edit.producer(value, "DequantizeLinear")
    return source is not None and source.inputs[0] is not aside.outputs[0]


def _follow(node: ir.Node, value: ir.Value, pixels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """What a node makes of the pixels; None where it does more than move or scale them."""
    if node.domain or node.op_type in _MOVES:
        return None if node.domain else pixels
    others = [edit.constant_scalar(other) for other in node.inputs if other is not value]
    if node.op_type not in _ARITHMETIC or len(others) != 1 or others[0] is None:
        return None
    made: NDArray[np.float32] = _ARITHMETIC[node.op_type](pixels, np.float32(others[0]))
    return made


def _keeps(quantize: ir.Node, dequantize: ir.Node, pixels: NDArray[np.float32]) -> bool:
    step = edit.one_step(quantize, dequantize)
    if step is None:
        return False
    scale, zero = (array.reshape(()) for array in step)
    if zero.dtype not in (np.int8, np.uint8):
        return False
    kind = np.iinfo(zero.dtype.name)
    steps = np.clip(np.rint(pixels / scale.astype(np.float32)) + float(zero), kind.min, kind.max) - float(zero)
    return bool(np.abs(steps - pixels / scale.astype(np.float32)).max() < _TOLERANCE)
