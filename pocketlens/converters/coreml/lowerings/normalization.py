"""Normalizations: batch, instance (with group norms, which arrive as such) and layer norms."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_batch_norm, check_instance_norm, check_layer_norm
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, optional, rank, shape


@lowering("BatchNormalization", check=check_batch_norm, needs="constant statistics, evaluation mode; 3 to 5 axes")
def batch_norm(builder: MILBuilder, node: ir.Node) -> Var:
    """``batch_norm``; coremltools folds it into a convolution in front."""
    return builder.add(
        "batch_norm",
        x=builder.get(node.inputs[0]),
        gamma=floats(node, 1),
        beta=floats(node, 2),
        mean=floats(node, 3),
        variance=floats(node, 4),
        epsilon=np.float32(hub.number(node, "epsilon", 1e-5)),
    )


@lowering("InstanceNormalization", check=check_instance_norm, needs="constant scale and shift; 3 or 4 axes")
def instance_norm(builder: MILBuilder, node: ir.Node) -> Var:
    """``instance_norm``, which sums by itself: nothing of it is decomposed in fp16, where 256 x 256 values overflow.

    An epsilon below 6e-8 becomes the smallest fp16 number instead of 0 (coremltools sees to it), so a flat channel
    stays a number. Group norm arrives as ``Reshape → InstanceNormalization → Reshape`` with three axes, the last of
    which has hundreds of thousands of values; it is given back its rows, since no unit of the phone takes an axis that
    long.
    """
    source = node.inputs[0]
    x = builder.get(source)
    is_flat = rank(source) == 3
    if is_flat:
        x = builder.add("reshape", x=x, shape=vector(_in_rows(source)))
    y = builder.add(
        "instance_norm",
        x=x,
        gamma=floats(node, 1),
        beta=floats(node, 2),
        epsilon=np.float32(hub.number(node, "epsilon", 1e-5)),
    )
    return builder.add("reshape", x=y, shape=vector(shape(source))) if is_flat else y


def _in_rows(flat: ir.Value | None) -> tuple[int, int, int, int]:
    """``[N, G, L]`` as ``[N, G, L / W, W]``, W the width of the picture that was flattened if it is known, else 1."""
    batch, groups, length = shape(flat)
    assert flat is not None
    producer = flat.producer()
    width = 1
    if producer is not None and producer.op_type == "Reshape" and rank(producer.inputs[0]) == 4:
        width = shape(producer.inputs[0])[3]
    width = width if length % width == 0 else 1
    return batch, groups, length // width, width


@lowering("LayerNormalization", check=check_layer_norm, needs="constant scale and shift; one output")
def layer_norm(builder: MILBuilder, node: ir.Node) -> Var:
    """``layer_norm`` over the axes from ``axis`` on."""
    axes = list(range(rank(node.inputs[0])))[hub.integer(node, "axis", -1) :]
    bias = {} if optional(node, 2) is None else {"beta": floats(node, 2)}
    return builder.add(
        "layer_norm",
        x=builder.get(node.inputs[0]),
        axes=vector(axes),
        gamma=floats(node, 1),
        epsilon=np.float32(hub.number(node, "epsilon", 1e-5)),
        **bias,
    )
