"""``int8`` on TFLite: int8 kernels under float values, which LiteRT quantizes itself, picture by picture.

XNNPACK takes a convolution of floats with an int8 kernel as one operator: it finds the range of what it reads, computes in
int8 and gives floats. With ranges fixed beforehand it would have to round its output to int8 as well, and norms answer that
with a loss: an earlier study of a fast-style generator found 27.9 dB so and 36.7 dB this way, at the same speed. Depthwise kernels have no such form in XNNPACK and stay float.
"""

import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.tflite.draft import Operator
from pocketlens.converters.tflite.eight import code as code_weights


def float_activations(model: ir.Model) -> None:
    """Take out the quantizers of activations, in place; weights stay as they are coded."""
    for node in tuple(model.graph):
        if node.graph is None or node.op_type != "DequantizeLinear" or constant(node.inputs[0]) is not None:
            continue
        kinds = ("QuantizeLinear", "DynamicQuantizeLinear")
        rounder = next((made for kind in kinds if (made := edit.maker(node.inputs[0], kind))), None)
        if rounder is not None and rounder.inputs[0] is not None:
            edit.replace(node.outputs[0], rounder.inputs[0])


def code(operators: list[Operator]) -> list[Operator]:
    """Put the kernels that the graph codes in 8 bits into int8, but for depthwise ones."""
    for operator in operators:
        if operator.code == "DEPTHWISE_CONV_2D":
            operator.inputs[1].scales = None
    return code_weights(operators, hybrid=True)
