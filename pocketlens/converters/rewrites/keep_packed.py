"""Between a packed producer and a packed consumer the picture stays packed."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit, packing

_ELEMENTWISE = (
    "Abs", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg", "Relu", "Selu",
    "Sigmoid", "Softplus", "Softsign", "Sqrt", "Tanh",
)  # fmt: skip
_BINARY = ("Add", "Div", "Max", "Min", "Mul", "Sub")


class KeepPacked(ir.passes.InPlacePass):
    """Drop the pixel shuffles between a DepthToSpace and a SpaceToDepth in front of a Conv.

    Exact, operator by operator, for ``unpacked = DepthToSpace(packed)`` in ``CRD`` order, where channel c of the picture is the
    ``block²`` neighbouring channels of the packed one:

    - a function of one value, and a sum or product of two packed pictures, is the same on the packed values;
    - a constant that is one number a channel is repeated for every place in the block;
    - an instance norm's mean and variance over a channel are those over its ``block²`` packed channels: a norm of groups of
      them, Reshape to ``[N, channels, -1]``, InstanceNormalization, Reshape back. A norm of groups of channels keeps its groups;
    - a Concat of channels is a Concat of packed channels.

    SpaceToDepth orders channels by place first: the Conv behind gets its input channels in the other order, once. The pass
    needs that everything between has one reader, and every path upwards ends at a DepthToSpace with the same block or a constant.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        for node in tuple(model.graph):
            conv = edit.only_reader(node.outputs[0]) if node.op_type == "SpaceToDepth" and not node.domain else None
            if conv is None or conv.op_type != "Conv" or conv.domain or conv.inputs[0] is not node.outputs[0]:
                continue
            block = hub.integer(node, "blocksize", 1)
            if hub.constant(conv.inputs[1]) is None or hub.integer(conv, "group", 1) != 1:
                continue
            if block > 1 and _can(node.inputs[0], block):
                _rewrite(model, node, conv, block)
                modified = True
        return ir.passes.PassResult(model, modified)


def _rewrite(model: ir.Model, node: ir.Node, conv: ir.Node, block: int) -> None:
    packed = _packed(edit.Editor(model, node), node.inputs[0], block)
    weight = hub.constant(conv.inputs[1])
    assert weight is not None and conv.inputs[1] is not None
    ordered = packing.by_channel(weight.astype(np.float32), block)
    conv.replace_input_with(1, edit.Editor(model, conv).changed(conv.inputs[1], ordered))
    edit.replace(node.outputs[0], packed)


def _can(value: ir.Value | None, block: int) -> bool:
    """Whether the packed form of a value can be had without shuffling."""
    node = value.producer() if value is not None else None
    if node is None or node.domain or edit.only_reader(value) is None or edit.shape_of(value) is None:
        return False
    if _unpacks(node, block):
        return True
    if node.op_type in _ELEMENTWISE:
        return _can(node.inputs[0], block)
    if node.op_type in _BINARY:
        computed = [v for v in node.inputs if hub.constant(v) is None]
        fit = [_constant_fits(v, value) for v in node.inputs if hub.constant(v) is not None]
        same = all(edit.shape_of(v) == edit.shape_of(value) for v in computed)
        return bool(computed) and all(fit) and same and all(_can(v, block) for v in computed)
    if node.op_type == "InstanceNormalization":
        shape = edit.shape_of(value)
        known = [hub.constant(v) for v in node.inputs[1:]]
        return shape is not None and len(shape) == 4 and None not in map(_size, known) and _can(node.inputs[0], block)
    if node.op_type == "Reshape":
        view = _group_view(node)
        return view is not None and _can(view.inputs[0], block)
    if node.op_type == "Concat":
        return hub.integer(node, "axis", 0) in (1, -3) and all(_can(v, block) for v in node.inputs)
    return False


def _size(array: object) -> int | None:
    return None if array is None else np.size(array)  # type: ignore[arg-type]


def _unpacks(node: ir.Node, block: int) -> bool:
    crd = hub.text(node, "mode", "DCR") == "CRD" and hub.integer(node, "blocksize", 1) == block
    return node.op_type == "DepthToSpace" and crd


def _constant_fits(value: ir.Value | None, whole: ir.Value | None) -> bool:
    array, shape = hub.constant(value), edit.shape_of(whole)
    if array is None or shape is None or len(shape) != 4 or array.ndim > 4:
        return False
    padded = (1,) * (4 - array.ndim) + array.shape
    return padded[0] == 1 and padded[1] in (1, shape[1]) and padded[2:] == (1, 1)


def _group_view(back: ir.Node) -> ir.Node | None:
    """The Reshape to groups in front, if a Reshape leads back from a norm of groups of channels."""
    norm = edit.maker(back.inputs[0], "InstanceNormalization")
    view = edit.maker(norm.inputs[0], "Reshape") if norm is not None else None
    if norm is None or view is None:
        return None
    before, groups, after = (edit.shape_of(v) for v in (view.inputs[0], view.outputs[0], back.outputs[0]))
    if before is None or groups is None or before != after or len(before) != 4 or len(groups) != 3:
        return None
    fits = groups[0] == before[0] and before[1] % groups[1] == 0
    alone = edit.only_reader(view.outputs[0]) is norm and edit.only_reader(norm.outputs[0]) is back
    return view if fits and alone else None


def _packed(editor: edit.Editor, value: ir.Value | None, block: int) -> ir.Value:
    """The packed form of a value for which :func:`_can` holds."""
    assert value is not None
    node, shape = value.producer(), edit.shape_of(value)
    assert node is not None and shape is not None
    if _unpacks(node, block):
        assert node.inputs[0] is not None
        return node.inputs[0]
    small = (shape[0], shape[1] * block**2, shape[2] // block, shape[3] // block)
    if node.op_type == "InstanceNormalization":
        return _normal(editor, node, _packed(editor, node.inputs[0], block), shape[1], small)
    if node.op_type == "Reshape":
        view = _group_view(node)
        norm = edit.maker(node.inputs[0], "InstanceNormalization")
        assert view is not None and norm is not None
        groups = edit.shape_of(view.outputs[0])
        assert groups is not None
        return _normal(editor, norm, _packed(editor, view.inputs[0], block), groups[1], small)
    inputs = [v if v is None or _is_bound(node, v) else _operand(editor, v, block) for v in node.inputs]
    return editor.make(node.op_type, inputs, small, node.attributes.values())


def _is_bound(node: ir.Node, value: ir.Value) -> bool:
    """Whether an input is a parameter of the function, such as Clip's bounds."""
    return node.op_type in _ELEMENTWISE and value is not node.inputs[0]


def _operand(editor: edit.Editor, value: ir.Value, block: int) -> ir.Value:
    array = hub.constant(value)
    if array is None:
        return _packed(editor, value, block)
    if array.size == 1:
        return value
    return editor.constant(np.repeat(array.reshape(1, -1, 1, 1), block**2, axis=1), "each_place")


def _normal(editor: edit.Editor, norm: ir.Node, packed: ir.Value, groups: int, shape: tuple[int, ...]) -> ir.Value:
    view = editor.reshape(packed, (shape[0], groups, int(np.prod(shape)) // (shape[0] * groups)))
    inputs = [view, *norm.inputs[1:]]
    return editor.reshape(
        editor.make("InstanceNormalization", inputs, edit.shape_of(view), norm.attributes.values()), shape
    )
