"""Values without axes, for targets whose values have at least one: Core ML and Core AI."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import is_constant
from pocketlens.converters.rewrites import edit

_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum")
_VIEWS = ("Reshape", "Squeeze", "Unsqueeze")
_BY_VALUE = (
    *("Abs", "Add", "And", "Cast", "Ceil", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu"),
    *("Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less", "LessOrEqual", "Log"),
    *("Max", "Min", "Mish", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin"),
    *("Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu", "Where", "Xor"),
)
"""Operators that work on each value alone, and broadcast."""


def spread_scalars(model: ir.Model) -> ir.Model:
    """A copy of the graph in which computed values without axes have one of length 1; the graph itself where there are
    none.

    Exact: a single value broadcasts alike with and without an axis. A scalar that another operator gives or reads stays
    one, and is refused as before.
    """
    if not any(_is_scalar(value) for node in model.graph if not is_constant(node) for value in node.outputs):
        return model
    model = model.clone()
    for node in tuple(model.graph):
        if not is_constant(node) and not node.domain and len(node.outputs) == 1:
            _spread(model, node)
    return model


def _is_scalar(value: ir.Value | None) -> bool:
    return edit.shape_of(value) == ()


def _spread(model: ir.Model, node: ir.Node) -> None:
    output, source = node.outputs[0], node.inputs[0] if node.inputs else None
    if node.op_type in _BY_VALUE and _is_scalar(output):
        output.shape = ir.Shape((1,))
    elif node.op_type in _VIEWS and source is not None and _size(output) == 1 and output.dtype == source.dtype:
        _view(model, node, source)
    elif node.op_type in _REDUCTIONS and _is_scalar(output) and source is not None:
        shape = hub.static_shape(source)
        editor = edit.Editor(model, node)
        axes = editor.constant(np.arange(len(shape), dtype=np.int64), "axes")
        whole = editor.add(node.op_type, [source, axes], (1,) * len(shape), [ir.AttrInt64("keepdims", 1)])
        edit.replace(output, editor.reshape(whole, (1,)))


def _size(value: ir.Value) -> int:
    shape = edit.shape_of(value)
    return -1 if shape is None else int(np.prod(shape, dtype=np.int64))


def _view(model: ir.Model, node: ir.Node, source: ir.Value) -> None:
    viewed = edit.Editor(model, node).reshape(source, edit.shape_of(node.outputs[0]) or (1,))
    viewed.type = source.type
    edit.replace(node.outputs[0], viewed)
