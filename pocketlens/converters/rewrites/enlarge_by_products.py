"""A picture of few channels is enlarged bilinearly by two matrix products."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.resize_matrix import resize_matrix, why_not
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_CHANNELS = 4
"""With more, a runtime's own kernel computes channels side by side."""
MIN_FACTOR = 4
_BLOCK = 32
"""Pixels that one product gives. 16 and 64 were measured too: both are slower in onnxruntime and in OpenVINO."""


class EnlargeByProducts(NodePass):
    """Compute Resize (linear, s times both ways) as one matrix product down the columns and one along the rows.

    Exact: bilinear interpolation weighs rows and columns one after the other, and each is a matrix whose numbers are
    the weights (only the order of sums changes). A column is short: its matrix is multiplied as it is. A row is long,
    and its matrix almost empty, since a pixel lies between two of its neighbours. So rows are cut into blocks of
    :data:`_BLOCK` enlarged pixels: all of them are products of the same small matrix with the block's small pixels and
    one beside it at each end, where the picture's own end is repeated. Kernels for Resize look up four neighbours for
    each pixel; products keep the processor's vector units busy.

    It needs half-pixel coordinates, a whole number s of at least :data:`MIN_FACTOR`, and at most :data:`MAX_CHANNELS`
    channels.
    """

    operators = ("Resize",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
        if before is None or after is None or not _applies(node, before, after):
            return False
        *outer, height, width = before
        rows = outer[0] * outer[1] * after[2]
        factor, cells = after[3] // width, 1
        while width % (2 * cells) == 0 and 2 * cells * factor <= _BLOCK:
            cells *= 2
        blocks, seen = width // cells, cells + 2
        editor, x = edit.Editor(model, node), node.inputs[0]
        near = np.clip(np.arange(blocks)[:, None] * cells + np.arange(-1, cells + 1), 0, width - 1)
        places = editor.constant(near.astype(np.int64).reshape(-1), "places")
        x = editor.add("Gather", [x, places], (*outer, height, blocks * seen), [ir.AttrInt64("axis", 3)])
        columns = editor.shared_constant(resize_matrix(node, 2, before, after), "columns")
        x = editor.add("MatMul", [columns, x], (*outer, after[2], blocks * seen))
        x = editor.reshape(x, (rows * blocks, seen))
        block = editor.constant(_block(node, cells, factor), "block")
        x = editor.add("MatMul", [x, block], (rows * blocks, cells * factor))
        edit.replace(node.outputs[0], editor.reshape(x, after))
        return True


def _applies(node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    if hub.text(node, "mode", "nearest") != "linear" or len(before) != 4 or "axes" in node.attributes:
        return False
    if hub.text(node, "coordinate_transformation_mode", "half_pixel") != "half_pixel" or before[:2] != after[:2]:
        return False
    factor = after[3] // before[3]
    if before[1] > MAX_CHANNELS or factor < MIN_FACTOR or after[2:] != tuple(edge * factor for edge in before[2:]):
        return False
    return not why_not(node, before, after)


def _block(node: ir.Node, cells: int, factor: int) -> NDArray[np.float32]:
    """How much of each small pixel every pixel of a block takes: ``float32 [cells + 2, cells * factor]``."""
    seen = cells + 2
    whole = resize_matrix(node, 3, (1, 1, 1, seen), (1, 1, 1, seen * factor))
    block: NDArray[np.float32] = np.ascontiguousarray(whole[factor:-factor].T)
    return block
