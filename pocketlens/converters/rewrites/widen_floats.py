"""A graph in float16, bfloat16 or float64 computes in float32."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.rewrites.passes import GraphPass

_NARROW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)


class WidenFloats(GraphPass):
    """Turn every weight, constant, cast and value of another float type into float32.

    The graph is float32 (see :mod:`pocketlens.converters.graph`). Weights keep their values: every float16 and bfloat16
    is a float32, and a float64 is rounded once. What the model rounded in between is no longer rounded, so the picture
    is that of the model in exact arithmetic, closer than the model itself came.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite the whole graph, subgraphs included."""
        modified = False
        for graph in (model.graph, *model.graph.subgraphs()):
            for value in (*graph.inputs, *graph.initializers.values()):
                modified |= _widen(value)
            for node in graph:
                for name, attribute in tuple(node.attributes.items()):
                    widened = _attribute(node, attribute)
                    if widened is not None:
                        node.attributes[name] = widened
                        modified = True
                for value in node.outputs:
                    modified |= _widen(value)
        return ir.passes.PassResult(model, modified)

    def ensures(self, model: ir.Model) -> None:
        """Check that no value of the graph is of a narrow or wide float type any more.

        Raises:
            PostconditionError: One is.
        """
        super().ensures(model)
        for value in (
            *model.graph.inputs,
            *model.graph.initializers.values(),
            *(v for n in model.graph for v in n.outputs),
        ):
            if value.dtype in _NARROW:
                raise ir.passes.PostconditionError(f"{value.name!r} is still {value.dtype}")


def _tensor(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    # A number beyond float32 becomes infinity, which the graph's own check names.
    with np.errstate(over="ignore"):
        return ir.tensor(np.asarray(tensor.numpy()).astype(np.float32), name=tensor.name)


def _widen(value: ir.Value) -> bool:
    dtype = value.dtype
    tensor = value.const_value
    modified = False
    if tensor is not None and tensor.dtype in _NARROW:
        value.const_value = _tensor(tensor)
        modified = True
    if dtype in _NARROW:
        value.dtype = ir.DataType.FLOAT
        modified = True
    return modified


def _attribute(node: ir.Node, attribute: ir.Attr) -> ir.Attr | None:
    if attribute.type == ir.AttributeType.TENSOR and attribute.as_tensor().dtype in _NARROW:
        return ir.AttrTensor(attribute.name, _tensor(attribute.as_tensor()))
    number = attribute.type == ir.AttributeType.INT and attribute.name in ("to", "dtype", "output_dtype")
    if number and not node.domain and attribute.as_int() in [int(kind) for kind in _NARROW]:
        return ir.AttrInt64(attribute.name, int(ir.DataType.FLOAT))
    return None
