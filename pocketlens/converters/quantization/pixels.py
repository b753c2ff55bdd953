"""Pixels as bytes: the picture goes in and comes out as ``uint8``, without a copy to floats and back around the
file.
"""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant


def use_uint8_pixels(model: ir.Model) -> ir.Model:
    """A copy of a graph whose picture and output are ``uint8``, the same pixels; the output is rounded half to even.

    A first quantizer that takes pixels as the integers that they are falls away, and so does a last one that gives
    them.
    """
    model = model.clone()
    image, stylized = model.graph.inputs[0], model.graph.outputs[0]
    scale = hub.add_constant(model, "pixel_scale", np.array(1, np.float32))
    zero = hub.add_constant(model, "pixel_zero", np.array(0, np.uint8))
    dequantize = ir.node(
        "DequantizeLinear", [image, scale, zero], name="pixels_in", outputs=[_float("image_float", image)]
    )
    image.type = ir.TensorType(ir.DataType.UINT8)  # not its dtype: the type is shared with the original
    for reader, index in tuple(image.uses()):
        if reader is dequantize:
            continue
        if _is_plain(reader):
            ir.convenience.replace_all_uses_with(reader.outputs[0], image)
            model.graph.remove(reader, safe=True)
        else:
            reader.replace_input_with(index, dequantize.outputs[0])
    if dequantize.outputs[0].uses():
        model.graph.insert_before(model.graph[0], dequantize)
    else:
        dequantize.replace_input_with(0, None)
    last = stylized.producer()
    if last is not None and last.op_type == "DequantizeLinear" and _is_plain(last) and len(stylized.uses()) == 0:
        integers = last.inputs[0]
        assert integers is not None
        stylized.name, integers.name = "stylized_float", hub.OUTPUT
        model.graph.outputs[0] = integers
        model.graph.remove(last, safe=True)
        return model
    stylized.name = "stylized_float"
    quantize = ir.node(
        "QuantizeLinear", [stylized, scale, zero], name="pixels_out", outputs=[_float(hub.OUTPUT, stylized)]
    )
    quantize.outputs[0].dtype = ir.DataType.UINT8
    model.graph.append(quantize)
    model.graph.outputs[0] = quantize.outputs[0]
    return model


def _float(name: str, like: ir.Value) -> ir.Value:
    return ir.Value(name=name, shape=like.shape, type=ir.TensorType(ir.DataType.FLOAT))


def _is_plain(node: ir.Node) -> bool:
    """Whether a quantizer or its reverse leaves whole numbers of 0 to 255 as they are."""
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return False
    scale, zero = constant(node.inputs[1]), constant(node.inputs[2])
    return scale is not None and zero is not None and bool((scale == 1) & (zero == 0)) and zero.dtype == np.uint8
