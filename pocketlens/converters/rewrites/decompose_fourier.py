"""Fourier transforms, as Fourier convolutions have them, in terms of a matrix product."""

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_BYTES = 1 << 24
"""Largest matrix, in bytes: 1,024 complex numbers to 1,024."""


class DecomposeFourier(NodePass):
    """Decompose DFT, which OpenVINO misreads and no other target but ONNX takes.

    Exact to float rounding, by its definition: along an axis of n numbers, output k is ``Σ_j x_j e^(∓2πi jk / n)``,
    over n where it is inverse. That is a product with a constant matrix once the axis and the two parts of complex
    numbers lie next to each other. The pass needs fixed shapes and a constant axis and length, and a matrix that fits
    :data:`MAX_BYTES`.
    """

    operators = ("DFT",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
        axis = _axis(node)
        length = _length(node, before, axis)
        if node.inputs[0] is None or before is None or after is None or axis is None or length is None:
            return False
        axis %= len(before)
        if axis == len(before) - 1 or before[axis] * before[-1] * after[axis] * after[-1] * 4 > MAX_BYTES:
            return False
        inverse, onesided = (bool(hub.integer(node, name, 0)) for name in ("inverse", "onesided"))
        if inverse and onesided:
            matrix = real_signal_matrix(before[axis], after[axis])
        else:
            matrix = fourier_matrix(before[axis], before[-1], length, after[axis], inverse=inverse)
        editor = edit.Editor(model, node)
        edit.replace(node.outputs[0], _product(editor, node.inputs[0], axis, matrix, after[axis]))
        return True


def fourier_matrix(count: int, parts: int, length: int, frequencies: int, *, inverse: bool) -> NDArray[np.float32]:
    """The matrix of a transform, ``float32 [count * parts, frequencies * 2]``.

    Args:
        count: How many numbers there are; those beyond ``length`` are cut off, and zeros are added up to it.
        parts: 1 for real numbers, 2 for complex ones.
        length: Of the transform.
        frequencies: How many are computed, from 0 on.
        inverse: Whether it turns the other way, and divides by the length.
    """
    used = np.arange(min(count, length))
    cos, sin = _waves(used, np.arange(frequencies), length)
    sin *= 1 if inverse else -1
    matrix = np.zeros((count, parts, frequencies, 2))
    matrix[used, 0, :, 0], matrix[used, 0, :, 1] = cos, sin
    if parts == 2:
        matrix[used, 1, :, 0], matrix[used, 1, :, 1] = -sin, cos
    matrix /= length if inverse else 1
    return matrix.reshape(count * parts, frequencies * 2).astype(np.float32)


def real_signal_matrix(count: int, length: int) -> NDArray[np.float32]:
    """The matrix from one half of a spectrum back to ``length`` real numbers, ``float32 [count * 2, length]``.

    The other half is the first one's conjugate, so each frequency counts twice, but for 0 and the one in the middle.
    """
    used = np.arange(min(count, length // 2 + 1))
    cos, sin = _waves(used, np.arange(length), length)
    shares = np.where((used == 0) | (2 * used == length), 1, 2)[:, None] / length
    matrix = np.zeros((count, 2, length))
    matrix[used, 0], matrix[used, 1] = shares * cos, -shares * sin
    return matrix.reshape(count * 2, length).astype(np.float32)


def _waves(
    left: NDArray[np.int64], right: NDArray[np.int64], length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine and sine of each pair's product in ``1 / length`` turns; whole turns go while numbers are exact."""
    angle = 2 * math.pi * (np.outer(left, right) % length) / length
    return np.cos(angle), np.sin(angle)


def _product(editor: edit.Editor, x: ir.Value, axis: int, matrix: NDArray[np.float32], frequencies: int) -> ir.Value:
    before = edit.shape_of(x)
    assert before is not None
    last = len(before) - 1
    order = [*(i for i in range(last) if i != axis), axis, last]
    turned = tuple(before[i] for i in order)
    if order != sorted(order):
        x = editor.add("Transpose", [x], turned, [ir.AttrInt64s("perm", order)])
    rows = math.prod(turned[:-2])
    product = editor.add(
        "MatMul",
        [editor.reshape(x, (rows, matrix.shape[0])), editor.constant(matrix, "fourier")],
        (rows, matrix.shape[1]),
    )
    result = (*turned[:-2], frequencies, matrix.shape[1] // frequencies)
    y = editor.reshape(product, result)
    if order == sorted(order):
        return y
    back = [order.index(i) for i in range(len(order))]
    return editor.add("Transpose", [y], tuple(result[i] for i in back), [ir.AttrInt64s("perm", back)])


def _axis(node: ir.Node) -> int | None:
    """The axis of opset 20's third input, of which the default is -2."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return -2
    array = constant(node.inputs[2])
    return None if array is None else int(array.reshape(-1)[0])


def _length(node: ir.Node, before: tuple[int, ...] | None, axis: int | None) -> int | None:
    if len(node.inputs) < 2 or node.inputs[1] is None:
        return None if before is None or axis is None else before[axis]
    array = constant(node.inputs[1])
    return None if array is None else int(array.reshape(-1)[0])
