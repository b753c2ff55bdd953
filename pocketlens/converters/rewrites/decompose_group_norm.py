"""A norm over one long row of values becomes means of means."""

import math
from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.norm_form import decompose
from pocketlens.converters.rewrites.passes import NodePass

MIN_GROUP_VALUES = 1 << 16
"""Norms over fewer values stay as they are: there is nothing to gain, neither dB nor milliseconds."""
MIN_CHANNEL_VALUES = 1 << 19
"""The same of norms over each channel's own pixels, whose kernels add up more at once."""
EXACT_NORMS = "pocketlens.exact_norms"
"""The key in a graph's ``metadata_props`` that says from how many pixels on these are decomposed, where it needs them
earlier: the kernels lose much where a channel's mean is large beside its deviation.
"""


class DecomposeGroupNorm(NodePass):
    """Decompose norms over the channels of a group together with height and width: mean of the rows, of those, of the
    channels.

    The graph has them as ``Reshape [N, groups, -1] → InstanceNormalization``; norms of each channel over very many
    pixels too. onnxruntime and OpenVINO add up such a row, of millions of values, in one float32 each (or a few), and
    the further they come the less of each value is left: one group of ``32 x 256 x 256`` is right to 111 dB, of
    ``32 x 720 x 1280`` to 76 dB. Means of means keep 121 dB and more, in the same time (see docs/decisions/0005). This
    is a form for runtimes that read ONNX, not one of the graph: Core ML and TFLite have their own, and half precision
    needs theirs.

    Args:
        min_group_values: Groups of fewer values stay as they are.
    """

    operators = ("InstanceNormalization",)

    def __init__(self, min_group_values: int = MIN_GROUP_VALUES) -> None:
        super().__init__()
        self._min_group_values = min_group_values

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        return _decompose(model, node, self._min_group_values)


def _decompose(model: ir.Model, node: ir.Node, min_group_values: int) -> bool:
    view_shape = edit.shape_of(node.inputs[0])
    maker = edit.producer(node.inputs[0], "Reshape")
    plain = view_shape is not None and len(view_shape) == 4
    picture = node.inputs[0] if plain else maker.inputs[0] if maker is not None else None
    picture_shape = edit.shape_of(picture)
    if (
        view_shape is None
        or picture is None
        or picture_shape is None
        or len(view_shape) not in (3, 4)
        or len(picture_shape) != 4
    ):
        return False
    batch, groups = view_shape[:2]
    channels, height, width = picture_shape[1:]
    if (
        math.prod(view_shape[2:]) < (_min_channel_values(model) if plain else min_group_values)
        or picture_shape[0] != batch
        or channels % groups
    ):
        return False
    editor = edit.Editor(model, node)
    shape = picture_shape if plain or groups == 1 else (batch, groups, channels // groups, height, width)
    x = editor.reshape(picture, shape)
    axes = range(len(shape) - 1, 1 if plain else len(shape) - 4, -1)
    reduced = tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    epsilon = hub.number(node, "epsilon", 1e-5)
    result = decompose(editor, x, epsilon, reduced, lambda value: _mean(editor, value, axes))
    for operator, term, neutral in (("Mul", node.inputs[1], 1), ("Add", node.inputs[2], 0)):
        array = constant(term)
        if array is None or (array != neutral).any():
            affine = (1, groups, *(1,) * (len(shape) - 2))
            result = editor.add(operator, [result, editor.reshape(_given(term), affine)], shape)
    edit.replace(node.outputs[0], editor.reshape(result, view_shape))
    return True


def _min_channel_values(model: ir.Model) -> int:
    return int(model.metadata_props.get(EXACT_NORMS, MIN_CHANNEL_VALUES))


def _given(term: ir.Value | None) -> ir.Value:
    assert term is not None
    return term


def _mean(editor: edit.Editor, x: ir.Value, axes: Iterable[int]) -> ir.Value:
    """The mean over each axis in turn."""
    shape = edit.shape_of(x)
    assert shape is not None
    for axis in axes:
        shape = (*shape[:axis], 1, *shape[axis + 1 :])
        x = editor.add("ReduceMean", [x, editor.constant(np.array([axis], np.int64), f"axis_{axis}")], shape)
    return x
