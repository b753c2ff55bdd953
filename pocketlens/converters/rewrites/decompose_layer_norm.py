"""LayerNormalization becomes what every emitter takes."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.norm_form import decompose, normal
from pocketlens.converters.rewrites.passes import NodePass


class DecomposeLayerNorm(NodePass):
    """Put LayerNormalization into the forms of :mod:`~pocketlens.converters.rewrites.norm_form`.

    Exact by ONNX's own definition: from ``axis`` on, ``(x - mean) / sqrt(variance + epsilon) * scale + bias``. Over the
    channels and pixels of a picture that is a group norm of one group, over its pixels an instance norm; over other
    axes it is decomposed, deviations before squares. The pass needs a fixed rank, and that nobody reads the mean or
    deviation.
    """

    operators = ("LayerNormalization",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        return _decompose(model, node)


def _decompose(model: ir.Model, node: ir.Node) -> bool:
    x = node.inputs[0]
    shape = edit.shape_of(x)
    if x is None or shape is None or any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        return False
    axes = tuple(range(len(shape)))[hub.integer(node, "axis", -1) % len(shape) :]
    epsilon = hub.number(node, "epsilon", 1e-5)
    editor = edit.Editor(model, node)
    result = normal(editor, x, axes, epsilon) or _long(editor, x, shape, axes, epsilon)
    for operator, term in zip(("Mul", "Add"), node.inputs[1:3], strict=False):
        if term is not None:
            result = editor.add(operator, [result, term], shape)
    edit.replace(node.outputs[0], result)
    return True


def _long(editor: edit.Editor, x: ir.Value, shape: tuple[int, ...], axes: tuple[int, ...], epsilon: float) -> ir.Value:
    reduced = tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    axes_constant = editor.constant(np.array(axes, np.int64), "axes")
    return decompose(
        editor, x, epsilon, reduced, lambda value: editor.add("ReduceMean", [value, axes_constant], reduced)
    )
