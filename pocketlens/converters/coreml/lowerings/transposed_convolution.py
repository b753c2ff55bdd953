"""Transposed convolutions."""

import onnx_ir as ir

from pocketlens.converters.checks import check_convolution
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.lowerings.convolution import padding, shared_inputs
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import shape
from pocketlens.converters.windows import conv_window, transposed_crop


@lowering("ConvTranspose", check=check_convolution, needs="two spatial axes, constant weights")
def conv_transpose(builder: MILBuilder, node: ir.Node) -> Var:
    """``conv_transpose`` cropped evenly by itself, and by a slice where the crop is uneven.

    Core ML takes a pad for each side, but only its CPU honours uneven ones (apple/coremltools#2324;
    onnxruntime's Core ML provider refuses them for that reason), so they never reach it.
    """
    window = conv_window(node)
    x = builder.get(node.inputs[0])
    begin, end = (list(side) for side in transposed_crop(node, window))
    # Output padding that goes past the full output: rows of zeros behind the input add `stride` rows of bias each.
    extra = [max(0, -(crop // stride)) for crop, stride in zip(end, window.strides, strict=True)]
    if any(extra):
        x = builder.add("pad", x=x, pad=vector([0, 0, 0, 0, 0, extra[0], 0, extra[1]]), mode="constant")
        end = [crop + more * stride for crop, more, stride in zip(end, extra, window.strides, strict=True)]
    even = [min(pair) for pair in zip(begin, end, strict=True)]
    y = builder.add("conv_transpose", x=x, **shared_inputs(node, window), **padding(*even, *even))
    if begin == even and end == even:
        return y
    batch, channels, height, width = shape(node.outputs[0])
    top, left = (b - e for b, e in zip(begin, even, strict=True))
    return builder.add(
        "slice_by_index",
        x=y,
        begin=vector([0, 0, top, left]),
        end=vector([batch, channels, top + height, left + width]),
    )
