"""A Relu behind a Concat or a shuffle moves to the convolutions in front, which apply it for nothing."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

_MOVES = ("Concat", "DepthToSpace", "Slice", "SpaceToDepth")
_FUSE = ("Conv", "ConvTranspose")


class ActivateEarly(NodePass):
    """Apply Relu to what a Concat, DepthToSpace, SpaceToDepth or Slice takes instead of to what it gives.

    Exact: these only say which value stands where, and Relu looks at one value at a time. A runtime that lets a
    convolution clamp its own output then has a pass over memory less. The pass needs that the values between have no
    other reader, and applies where at least one path upwards ends at a Conv or ConvTranspose; a part that ends
    elsewhere gets a Relu of its own, on no more values than before.
    """

    operators = ("Relu",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        reaches = _moves(node.inputs[0]) and any(
            edit.producer(end, *_FUSE) is not None for end in _ends(node.inputs[0])
        )
        if reaches:
            edit.replace(node.outputs[0], _activated(edit.Editor(model, node), node.inputs[0]))
        return reaches


def _moves(value: ir.Value | None) -> bool:
    node = edit.producer(value, *_MOVES)
    return node is not None and edit.only_consumer(value) is not None and edit.shape_of(value) is not None


def _sources(node: ir.Node) -> tuple[ir.Value | None, ...]:
    """The values that a node moves; a Slice's bounds are none."""
    return tuple(node.inputs) if node.op_type == "Concat" else (node.inputs[0],)


def _ends(value: ir.Value | None) -> list[ir.Value]:
    """Where the paths upwards end that nobody else reads; a value with another reader is an end of no use."""
    node = value.producer() if value is not None else None
    if value is None or node is None or edit.only_consumer(value) is None:
        return []
    return [end for source in _sources(node) for end in _ends(source)] if _moves(value) else [value]


def _activated(editor: edit.Editor, value: ir.Value | None) -> ir.Value:
    """``value`` after a Relu as far up as it goes."""
    assert value is not None
    node = value.producer()
    if node is None or not _moves(value):
        return editor.add("Relu", [value], edit.shape_of(value))
    sources = _sources(node)
    moved = [_activated(editor, source) for source in sources]
    return editor.add(
        node.op_type, [*moved, *node.inputs[len(sources) :]], edit.shape_of(value), node.attributes.values()
    )
