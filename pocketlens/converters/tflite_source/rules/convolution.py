"""Convolutions and products of matrices. Their weights are stored channels last."""

from typing import Any

import numpy as np
import onnx_ir as ir

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import Importer, rule
from pocketlens.converters.tflite_source.rules.windows import is_same, padding, strides

_WHOLE = "check that the file is whole, or convert it again"


def _kernel(g: Importer, operator: Operator) -> tuple[int, int]:
    shape = g.tensor(operator, 1).shape
    if len(shape) != 4 or not shape[1] or not shape[2]:
        raise g.refusal(operator, f"has weights of the shape {list(shape)}", _WHOLE)
    return shape[1], shape[2]


def _bias(g: Importer, operator: Operator, place: int) -> list[ir.Value]:
    """One number a channel; litert-torch writes them with four axes for TRANSPOSE_CONV."""
    if not g.has(operator, place):
        return []
    bias = g.value(operator, place)
    return [bias if g.rank(operator, place) == 1 else g.add("Reshape", [bias, np.array([-1], np.int64)])]


def _window(g: Importer, operator: Operator) -> dict[str, Any]:
    dilations = tuple(g.option(operator, f"dilation{axis}Factor", least=1) for axis in "HW")
    return {**padding(g, operator, _kernel(g, operator), (dilations[0], dilations[1])), "dilations": dilations}


def _channels(g: Importer, operator: Operator, place: int = 0) -> int:
    channels = g.tensor(operator, place).shape[-1:]
    if not channels or not channels[0]:
        raise g.refusal(operator, "reads a picture without channels", _WHOLE)
    return channels[0]


@rule("CONV_2D")
def conv(g: Importer, operator: Operator) -> ir.Value:
    """Weights ``[out, height, width, in]``; fewer channels in than the picture has are groups."""
    x, window = g.picture(operator), _window(g, operator)
    each, channels = _channels(g, operator, 1), _channels(g, operator)
    if channels % each:
        raise g.refusal(operator, f"reads {channels} channels with weights for {each}", _WHOLE)
    inputs = [x, g.turned(operator, 1, (0, 3, 1, 2)), *_bias(g, operator, 2)]
    return g.channels_last(g.add("Conv", inputs, group=channels // each, **window))


@rule("DEPTHWISE_CONV_2D")
def depthwise(g: Importer, operator: Operator) -> ir.Value:
    """Weights ``[1, height, width, in * multiplier]``, those of one channel in a row."""
    x, window, channels = g.picture(operator), _window(g, operator), _channels(g, operator)
    if _channels(g, operator, 1) % channels:
        raise g.refusal(operator, f"reads {channels} channels with {_channels(g, operator, 1)} kernels", _WHOLE)
    inputs = [x, g.turned(operator, 1, (3, 0, 1, 2)), *_bias(g, operator, 2)]
    return g.channels_last(g.add("Conv", inputs, group=channels, **window))


@rule("TRANSPOSE_CONV")
def transpose_conv(g: Importer, operator: Operator) -> ir.Value:
    """Inputs: the output's shape, weights ``[out, height, width, in]``, the picture, the bias.

    A picture of n rows gives ``(n - 1) s + k`` rows. What the output has less is cut off, the smaller half before; what
    it has more stays zero behind. With free sizes SAME is ``n s`` rows, and VALID at least that.
    """
    kernel, steps, lengths = _kernel(g, operator), strides(g, operator), g.tensor(operator, 2).shape[1:3]
    sizes = g.array(operator, 0)
    x = g.picture(operator, 2)
    before, after, behind = [], [], []
    for axis, (length, window, step) in enumerate(zip(lengths, kernel, steps, strict=True)):
        if length is not None and sizes is not None and sizes.size == 4:
            cut = (length - 1) * step + window - int(sizes.reshape(-1)[axis + 1])
        else:
            cut = window - step if is_same(g, operator) else min(window - step, 0)
        if not -step < cut < window + step:
            raise g.refusal(operator, f"gives a size that is {-cut} more than its kernel makes", _WHOLE)
        before.append(max(cut, 0) // 2)
        after.append(max(cut, 0) - max(cut, 0) // 2)
        behind.append(max(-cut, 0))
    inputs = [x, g.turned(operator, 1, (3, 0, 1, 2)), *_bias(g, operator, 3)]
    return g.channels_last(
        g.add(
            "ConvTranspose", inputs,
            kernel_shape=kernel, strides=steps, pads=(*before, *after), output_padding=tuple(behind),
        )
    )  # fmt: skip


@rule("FULLY_CONNECTED")
def fully_connected(g: Importer, operator: Operator) -> ir.Value:
    """Weights ``[out, in]``; what it reads is taken as rows of that length."""
    if g.option(operator, "weightsFormat"):
        raise g.refusal(operator, "has shuffled weights", "convert the model again")
    x, weights = g.value(operator, 0), g.turned(operator, 1, (1, 0))
    count = g.tensor(operator, 1).shape[1]
    if not g.option(operator, "keepNumDims") and (g.rank(operator, 0) != 2 or _channels(g, operator) != count):
        x = g.add("Reshape", [x, np.array([-1, count or 1], np.int64)])
    product = g.add("MatMul", [x, weights])
    return g.add("Add", [product, *_bias(g, operator, 2)]) if g.has(operator, 2) else product


@rule("BATCH_MATMUL")
def batch_matmul(g: Importer, operator: Operator) -> ir.Value:
    """A product of the last two axes, each side turned where its option says so."""
    sides = []
    for place, option in enumerate(("adjX", "adjY")):
        side, rank = g.value(operator, place), g.rank(operator, place)
        if g.option(operator, option):
            if rank < 2:
                raise g.refusal(operator, f"turns a side of {rank} axes", _WHOLE)
            side = g.add("Transpose", [side], perm=(*range(rank - 2), rank - 1, rank - 2))
        sides.append(side)
    return g.add("MatMul", sides)
