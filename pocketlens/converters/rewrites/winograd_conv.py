"""A 3 x 3 convolution computes four rows at a time with half the products."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.conv_window import ConvWindow, conv_window
from pocketlens.converters.rewrites.passes import NodePass

ROWS = 4
"""Output rows of a tile."""

MIN_CHANNELS = 128
"""Fewest channels on either side: three such layers were 1.2 to 1.9 times faster from here on in every runtime, and
with 64 channels 0.9 to 1.4 times (docs/decisions/0010)."""

READ = np.array(
    [
        [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
    ]
)  # fmt: skip
"""The six sums of a tile's six input rows."""
TAPS = np.array(
    [
        [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
    ]
)  # fmt: skip
"""The six sums of a kernel's three rows."""
GIVE = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
"""The four output rows as sums of the six products."""
_ONCE = 1
"""The product that takes the bias: its column of :data:`GIVE` is 1 in every row."""


class WinogradConv(NodePass):
    """Compute a 3 x 3 Conv of stride 1 by Winograd's F(4, 3) along the rows: six 1 x 3 Convs instead of the twelve of
    four rows.

    Exact: four output rows are the correlation of six input rows ``d`` with the kernel's three rows ``g``. Correlation
    is the transpose of multiplying polynomials, and the product of polynomials of degree 3 and 2 has degree 5: it is
    known from its values at six points, here 0, 1, -1, 2, -2 and infinity, each of which is one product. Transposed,
    ``y = GIVE ((TAPS g) * (READ d))`` with the matrices of that evaluation and interpolation (Lavin and Gray, "Fast
    Algorithms for Convolutional Neural Networks", 2016). What is a number there is a 1 x 3 convolution over columns and
    channels here: sums over rows and sums over columns may change places. The sums are the same up to their order,
    which costs some 10 dB of the 135 that float rounding leaves.

    ``READ d`` is six depthwise Convs of stride 4 along the rows, ``TAPS g`` is folded, ``GIVE`` is sums, and the four
    rows of a tile stand beside one another (``[N, C, H / 4, 4 W]``) until a Reshape puts them below:
    :mod:`~pocketlens.converters.rewrites.keep_rows`.

    The pass needs one group, constant weights, a kernel of 3 x 3 without steps, :data:`MIN_CHANNELS` channels on either
    side, and rows in fours. Half the products, but the sums are more: it is for runtimes that are busy with products.
    It is no form to quantize, as the sums reach ten times as far as the picture.
    """

    operators = ("Conv",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        window = conv_window(node, "Conv")
        if window is None or not _fits(window):
            return False
        edit.replace(node.outputs[0], _rewritten(edit.Editor(model, node), window))
        return True


def _fits(window: ConvWindow) -> bool:
    plain = window.taps == (3, 3) and window.strides == (1, 1) and window.dilations == (1, 1)
    return plain and window.out[2] % ROWS == 0 and min(window.weight.shape[:2]) >= MIN_CHANNELS


def _rewritten(editor: edit.Editor, window: ConvWindow) -> ir.Value:
    out, depth = window.weight.shape[:2]
    number, _, height, width = window.out
    top, left, bottom, right = window.pads
    kernels = np.einsum("kj,oijw->koiw", TAPS, window.weight.astype(np.float64)).astype(np.float32)
    vertical = [
        ir.AttrInt64s("pads", [top, 0, bottom, 0]),
        ir.AttrInt64s("strides", (ROWS, 1)),
        ir.AttrInt64("group", depth),
    ]
    horizontal = [ir.AttrInt64s("pads", [0, left, 0, right])]
    products = []
    for k, sums in enumerate(READ):
        taps = np.tile(sums.astype(np.float32).reshape(1, 1, -1, 1), (depth, 1, 1, 1))
        shape = (number, depth, height // ROWS, window.sizes[1])
        read = editor.add("Conv", [window.x, editor.constant(taps, f"read_{k}")], shape, vertical)
        inputs = [read, editor.constant(np.expand_dims(kernels[k], 2), f"taps_{k}")]
        inputs += [window.bias] if k == _ONCE and window.bias is not None else []
        products.append(editor.add("Conv", inputs, (number, out, height // ROWS, width), horizontal))
    rows = _rows(editor, products)
    shape = (number, out, height // ROWS, ROWS * width)
    return editor.reshape(editor.add("Concat", rows, shape, [ir.AttrInt64("axis", 3)]), window.out)


def _rows(editor: edit.Editor, products: Sequence[ir.Value]) -> list[ir.Value]:
    """``GIVE`` times the products: even and odd rows share the sums and differences of opposite points."""
    shape = edit.shape_of(products[0])

    def combine(operator: str, first: ir.Value, second: ir.Value, factor: float = 1) -> ir.Value:
        if factor != 1:
            second = editor.add(
                "Mul", [second, editor.constant(np.array(factor, np.float32), f"times_{factor}")], shape
            )
        return editor.add(operator, [first, second], shape)

    at_0, at_1, at_minus_1, at_2, at_minus_2, at_infinity = products
    sum_1, difference_1 = combine("Add", at_1, at_minus_1), combine("Sub", at_1, at_minus_1)
    sum_2, difference_2 = combine("Add", at_2, at_minus_2), combine("Sub", at_2, at_minus_2)
    return [
        combine("Add", combine("Add", at_0, sum_1), sum_2),
        combine("Add", difference_1, difference_2, 2),
        combine("Add", sum_1, sum_2, 4),
        combine("Add", combine("Add", difference_1, difference_2, 8), at_infinity),
    ]
