"""The packed form of a picture that some operators have computed from packed ones.

Exact operator by operator, for ``unpacked = DepthToSpace(packed)`` in ``CRD`` order, where channel c of the picture is
``block²`` neighbouring packed channels:

- a function of one value, and a sum or product of two packed pictures, is the same on the packed values;
- a constant that is one number a channel is repeated for every place in the block;
- an instance norm's mean and variance over a channel are those over its ``block²`` packed channels: a norm of groups of
  them, Reshape to ``[N, channels, -1]``, InstanceNormalization, Reshape back. A norm of groups of channels keeps its
  groups;
- a Concat of channels is a Concat of packed channels;
- a ConvTranspose of that stride is the packed Conv and DepthToSpace of
  :mod:`~pocketlens.converters.rewrites.sub_pixel_conv`.
"""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.conv_window import ConvWindow, conv_window
from pocketlens.converters.rewrites.sub_pixel_conv import phases

ELEMENTWISE = (
    "Abs", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg", "Relu", "Selu",
    "Sigmoid", "Softplus", "Softsign", "Sqrt", "Tanh",
)  # fmt: skip
BINARY = ("Add", "Div", "Max", "Min", "Mul", "Sub")

MAX_PRODUCTS_RATIO = 2.0
"""Most products of the packed Conv for each of the ConvTranspose: a 3 x 3 kernel of stride 2 takes 16 products packed
instead of 9.
"""


def has_packed_form(value: ir.Value | None, block: int) -> bool:
    """Whether the packed form of a value can be had without shuffling, and nobody else wants the unpacked one."""
    node = value.producer() if value is not None else None
    alone = value is not None and (
        edit.only_consumer(value) is not None or (value.is_graph_output() and not value.uses())
    )
    if node is None or node.domain or not alone or edit.shape_of(value) is None:
        return False
    if _unpacks(node, block) or _lifts(node, block) is not None:
        return True
    if node.op_type in ELEMENTWISE:
        return has_packed_form(node.inputs[0], block)
    if node.op_type in BINARY:
        computed = [v for v in node.inputs if constant(v) is None]
        fit = [is_by_channel(v, value) for v in node.inputs if constant(v) is not None]
        same = all(edit.shape_of(v) == edit.shape_of(value) for v in computed)
        return bool(computed) and all(fit) and same and all(has_packed_form(v, block) for v in computed)
    if node.op_type == "InstanceNormalization":
        shape = edit.shape_of(value)
        parameters = [constant(v) for v in node.inputs[1:]]
        return (
            shape is not None
            and len(shape) == 4
            and None not in map(_size, parameters)
            and has_packed_form(node.inputs[0], block)
        )
    if node.op_type == "Reshape":
        view = _group_view(node)
        return view is not None and has_packed_form(view.inputs[0], block)
    if node.op_type == "Concat":
        return hub.integer(node, "axis", 0) in (1, -3) and all(has_packed_form(v, block) for v in node.inputs)
    return False


def _size(array: object) -> int | None:
    return None if array is None else np.size(array)  # type: ignore[arg-type]


def _unpacks(node: ir.Node, block: int) -> bool:
    crd = hub.text(node, "mode", "DCR") == "CRD" and hub.integer(node, "blocksize", 1) == block
    return node.op_type == "DepthToSpace" and crd


def _lifts(node: ir.Node, block: int) -> tuple[ConvWindow, tuple[packing.Axis, packing.Axis]] | None:
    """A transposed convolution of that stride whose blocks start at its first pixel and stand over nowhere."""
    window = conv_window(node, "ConvTranspose")
    if window is None or window.strides != (block, block) or any(length % block for length in window.out[2:]):
        return None
    axes = phases(window, 0)
    if (
        axes is None
        or axes[0].kernel * axes[1].kernel * block**2 > MAX_PRODUCTS_RATIO * window.taps[0] * window.taps[1]
    ):
        return None
    return window, axes


def is_by_channel(value: ir.Value | None, picture: ir.Value | None) -> bool:
    """Whether a value is a constant of one number, or of one a channel of a picture."""
    array, shape = constant(value), edit.shape_of(picture)
    if array is None or shape is None or len(shape) != 4 or array.ndim > 4:
        return False
    padded = (1,) * (4 - array.ndim) + array.shape
    return padded[0] == 1 and padded[1] in (1, shape[1]) and padded[2:] == (1, 1)


def _group_view(back: ir.Node) -> ir.Node | None:
    """The Reshape to groups in front, if a Reshape leads back from a norm of groups of channels."""
    norm = edit.producer(back.inputs[0], "InstanceNormalization")
    view = edit.producer(norm.inputs[0], "Reshape") if norm is not None else None
    if norm is None or view is None:
        return None
    before, groups, after = (edit.shape_of(v) for v in (view.inputs[0], view.outputs[0], back.outputs[0]))
    if before is None or groups is None or before != after or len(before) != 4 or len(groups) != 3:
        return None
    fits = groups[0] == before[0] and before[1] % groups[1] == 0
    alone = edit.only_consumer(view.outputs[0]) is norm and edit.only_consumer(norm.outputs[0]) is back
    return view if fits and alone else None


def packed_form(editor: edit.Editor, value: ir.Value | None, block: int) -> ir.Value:
    """The packed form of a value for which :func:`has_packed_form` holds."""
    assert value is not None
    node, shape = value.producer(), edit.shape_of(value)
    assert node is not None and shape is not None
    if _unpacks(node, block):
        assert node.inputs[0] is not None
        return node.inputs[0]
    lifted = _lifts(node, block)
    if lifted is not None:
        window, axes = lifted
        return packing.packed_conv(editor, window.x, window, axes, block)
    small = (shape[0], shape[1] * block**2, shape[2] // block, shape[3] // block)
    if node.op_type == "InstanceNormalization":
        return _normal(editor, node, packed_form(editor, node.inputs[0], block), shape[1], small)
    if node.op_type == "Reshape":
        view = _group_view(node)
        norm = edit.producer(node.inputs[0], "InstanceNormalization")
        assert view is not None and norm is not None
        groups = edit.shape_of(view.outputs[0])
        assert groups is not None
        return _normal(editor, norm, packed_form(editor, view.inputs[0], block), groups[1], small)
    inputs = [v if v is None or _is_bound(node, v) else _operand(editor, v, block) for v in node.inputs]
    return editor.add(node.op_type, inputs, small, node.attributes.values())


def _is_bound(node: ir.Node, value: ir.Value) -> bool:
    """Whether an input is a parameter of the function, such as Clip's bounds."""
    return node.op_type in ELEMENTWISE and value is not node.inputs[0]


def _operand(editor: edit.Editor, value: ir.Value, block: int) -> ir.Value:
    array = constant(value)
    if array is None:
        return packed_form(editor, value, block)
    if array.size == 1:
        return value
    return editor.constant(np.repeat(array.reshape(1, -1, 1, 1), block**2, axis=1), "each_place")


def _normal(editor: edit.Editor, norm: ir.Node, packed: ir.Value, groups: int, shape: tuple[int, ...]) -> ir.Value:
    view = editor.reshape(packed, (shape[0], groups, int(np.prod(shape)) // (shape[0] * groups)))
    inputs = [view, *norm.inputs[1:]]
    return editor.reshape(
        editor.add("InstanceNormalization", inputs, edit.shape_of(view), norm.attributes.values()), shape
    )
