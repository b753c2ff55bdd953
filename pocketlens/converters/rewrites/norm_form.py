"""The one form of each normalization that every emitter takes.

- Over height and width of ``[N, C, H, W]``: InstanceNormalization.
- Over groups of channels together with height and width, one group of all channels (a layer norm over the picture)
  included: Reshape to ``[N, groups, -1]``, InstanceNormalization, Reshape back, as torch exports its GroupNorm.
- Over the last axis (layer norms of tokens or of each pixel): decomposed, ReduceMean, Sub, Mul, ReduceMean, Add, Sqrt,
  Div. TFLite has nothing shorter, and onnxruntime, OpenVINO and coremltools find the pattern by themselves where they
  have.

A scale and shift stand behind as Mul and Add; an instance norm takes in those of its channels (FoldAffineAfter).
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters.rewrites import edit


def groups_of(x: ir.Value, axes: tuple[int, ...]) -> int | None:
    """How many groups of values a norm over these axes has a picture, if it has a short form; else None.

    ``axes`` count from the start and are sorted.
    """
    shape = edit.shape_of(x)
    if shape is None:
        return None
    if len(shape) == 4 and axes == (2, 3):
        return shape[1]
    if len(shape) == 4 and axes == (1, 2, 3):
        return 1
    if (len(shape) == 3 and axes == (2,)) or (len(shape) == 5 and axes == (2, 3, 4)):
        return shape[1] if _picture_behind(x) is not None else None
    return None


def normal(editor: edit.Editor, x: ir.Value, axes: tuple[int, ...], epsilon: float) -> ir.Value | None:
    """``(x - mean) / sqrt(variance + epsilon)`` over the axes, in its short form; None if it has none."""
    groups, shape = groups_of(x, axes), edit.shape_of(x)
    if groups is None or shape is None:
        return None
    plain = len(shape) == 4 and axes == (2, 3)
    picture = x if len(shape) == 4 else _picture_behind(x)
    assert picture is not None
    picture_shape = edit.shape_of(picture)
    assert picture_shape is not None
    view = (
        x if plain else editor.reshape(picture, (shape[0], groups, int(np.prod(picture_shape)) // (shape[0] * groups)))
    )
    ones = editor.constant(np.ones(groups, np.float32), "scale")
    zeros = editor.constant(np.zeros(groups, np.float32), "shift")
    attributes = [ir.AttrFloat32("epsilon", epsilon)]
    result = editor.add("InstanceNormalization", [view, ones, zeros], edit.shape_of(view), attributes)
    return editor.reshape(editor.reshape(result, picture_shape), shape)


def decompose(
    editor: edit.Editor,
    x: ir.Value,
    epsilon: float,
    statistics_shape: tuple[int, ...],
    mean: Callable[[ir.Value], ir.Value],
) -> ir.Value:
    """``(x - mean) / sqrt(variance + epsilon)`` in single operators; ``mean`` computes a mean of the norm's axes."""
    shape = edit.shape_of(x)
    deviation = editor.add("Sub", [x, mean(x)], shape)
    variance = mean(editor.add("Mul", [deviation, deviation], shape))
    total = editor.add("Add", [variance, editor.constant(np.array(epsilon, np.float32), "epsilon")], statistics_shape)
    return editor.add("Div", [deviation, editor.add("Sqrt", [total], statistics_shape)], shape)


def _picture_behind(x: ir.Value) -> ir.Value | None:
    """The picture of rank 4 whose channels a Reshape has put into groups."""
    node = edit.producer(x, "Reshape")
    picture, view = (edit.shape_of(node.inputs[0]), edit.shape_of(x)) if node is not None else (None, None)
    if node is None or picture is None or view is None or len(picture) != 4 or picture[0] != view[0]:
        return None
    return node.inputs[0] if picture[1] % view[1] == 0 else None
