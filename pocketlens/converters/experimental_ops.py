"""Operators that ONNX had as experiments before opset 10, in terms of those that stayed.

Files of that time hold them still (Windows' own style transfer samples among them), onnxruntime still plays them, and
no later opset has them. Each is exact by its definition in ONNX 1.2's operator list.
"""

import numpy as np
import onnx_ir as ir

from pocketlens.errors import InputError

_LONG_END = 2**31 - 1


def decompose_experimental_op(node: ir.Node) -> list[ir.Node]:
    """The nodes that stand for Affine, ImageScaler or Crop, the last one gives its value; empty for any other operator.

    ``Affine``: ``alpha * x + beta``. ``ImageScaler``: ``scale * x + bias``, a bias for each channel. ``Crop``: without
    the border (left, top, right, bottom), or from its left and top as many rows and columns as ``scale`` says.

    Raises:
        InputError: The node lacks what its definition asks for; the message names it.
    """
    return _DECOMPOSITIONS[node.op_type](node) if node.op_type in _DECOMPOSITIONS else []


def _affine(node: ir.Node) -> list[ir.Node]:
    return _scale_and_shift(node, _number(node, "alpha"), np.float32(_number(node, "beta")))


def _image_scaler(node: ir.Node) -> list[ir.Node]:
    bias = np.asarray(_attribute(node, "bias").as_floats(), np.float32)
    return _scale_and_shift(node, _number(node, "scale"), bias.reshape(1, -1, 1, 1))


def _crop(node: ir.Node) -> list[ir.Node]:
    border = _attribute(node, "border").as_ints()
    if len(border) != 4:
        raise InputError(f"Crop {node.name!r} has a border of {len(border)} numbers", do="give a file with 4")
    left, top, right, bottom = border
    ends = [-bottom or _LONG_END, -right or _LONG_END]
    if "scale" in node.attributes:
        height, width = node.attributes["scale"].as_ints()
        ends = [top + height, left + width]
    attributes = {"axes": [2, 3], "starts": [top, left], "ends": ends}
    return [ir.node("Slice", [node.inputs[0]], attributes)]


def _scale_and_shift(node: ir.Node, scale: float, shift: np.ndarray | np.float32) -> list[ir.Node]:
    factor, term = (
        ir.node("Constant", [], {"value": ir.tensor(np.asarray(value, np.float32))}) for value in (scale, shift)
    )
    product = ir.node("Mul", [node.inputs[0], factor.outputs[0]])
    return [factor, term, product, ir.node("Add", [product.outputs[0], term.outputs[0]])]


def _number(node: ir.Node, name: str) -> float:
    return _attribute(node, name).as_float()


def _attribute(node: ir.Node, name: str) -> ir.Attr:
    if name not in node.attributes:
        raise InputError(f"{node.op_type} {node.name!r} has no {name}", do="get the file again")
    return node.attributes[name]


_DECOMPOSITIONS = {"Affine": _affine, "Crop": _crop, "ImageScaler": _image_scaler}
