"""Broadcasting along the first axis, in a form that LiteRT's GPU engine computes rightly.

Of ai-edge-litert 2.3.0: a computed value of length 1 there, beside one that is longer, is not repeated
(docs/upstream.md). Pictures have 1 there; weights that are computed have their outputs.
"""

from collections.abc import Sequence
from math import prod

Shape = tuple[int, ...]


def repeats_first_axis(operands: Sequence[Shape], shape: Shape) -> bool:
    """Whether an operand of more than one number is repeated along the first axis of the result.

    Example:
        >>> repeats_first_axis([(2, 4), (1, 4)], (2, 4)), repeats_first_axis([(1, 2, 4), (1, 1, 4)], (1, 2, 4))
        (True, False)
    """
    if len(shape) < 2 or shape[0] == 1:
        return False
    return any(prod(own) > 1 and (len(own) < len(shape) or own[0] == 1) for own in operands)


def merge_axes(operands: Sequence[Shape], shape: Shape) -> list[Shape]:
    """Shapes of the same numbers in the same order, with an axis of length 1 in front: neighbouring axes along which
    the same operands are repeated become one.

    Example:
        >>> merge_axes([(8, 3, 3, 4), (1, 1, 1, 4)], (8, 3, 3, 4))
        [(1, 72, 4), (1, 1, 4)]
    """
    filled = [(1,) * (len(shape) - len(own)) + own for own in operands]
    merged: list[list[int]] = [[1] for _ in operands]
    before: tuple[bool, ...] | None = None
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        has_all = tuple(own[axis] == length for own in filled)
        for own, axes in zip(filled, merged, strict=True):
            if has_all == before:
                axes[-1] *= own[axis]
            else:
                axes.append(own[axis])
        before = has_all
    return [tuple(axes) for axes in merged]
