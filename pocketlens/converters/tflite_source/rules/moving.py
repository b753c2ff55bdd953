"""What only puts values into other places: shapes, orders, borders, copies."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import TO_FIRST, Importer, rule

_WHOLE = "check that the file is whole, or convert it again"
_REFLECT = 0


@rule("RESHAPE")
def reshape(g: Importer, operator: Operator) -> ir.Value:
    """The new shape is the second input, or in the options."""
    if g.has(operator, 1):
        array = g.array(operator, 1)
        shape = g.value(operator, 1) if array is None else array.reshape(-1).astype(np.int64)
    else:
        stored = getattr(operator.options, "newShape", None)
        shape = np.array(stored if stored is not None else [], np.int64)
    return g.add("Reshape", [g.value(operator, 0), shape])


@rule("TRANSPOSE")
def transpose(g: Importer, operator: Operator) -> ir.Value:
    """Transpose."""
    order = g.axes(operator, 1, g.rank(operator, 0))
    if sorted(order) != list(range(g.rank(operator, 0))):
        raise g.refusal(operator, f"puts axes in the order {order}", _WHOLE)
    return g.add("Transpose", [g.value(operator, 0)], perm=order)


@rule("EXPAND_DIMS")
def expand_dims(g: Importer, operator: Operator) -> ir.Value:
    """Unsqueeze."""
    axes = np.array(g.axes(operator, 1, g.rank(operator, 0) + 1), np.int64)
    return g.add("Unsqueeze", [g.value(operator, 0), axes])


@rule("SQUEEZE")
def squeeze(g: Importer, operator: Operator) -> ir.Value:
    """Without axes in the options every axis of length one goes."""
    stored = getattr(operator.options, "squeezeDims", None)
    axes = [int(axis) for axis in stored] if stored is not None else []
    if not axes:
        axes = [axis for axis, length in enumerate(g.tensor(operator, 0).shape) if length == 1]
    return g.add("Squeeze", [g.value(operator, 0), np.array(axes, np.int64)])


@rule("PAD", "PADV2")
def pad(g: Importer, operator: Operator) -> ir.Value:
    """Zeros around, or the number that is the third input."""
    number = [g.value(operator, 2)] if g.has(operator, 2) else []
    if number and g.array(operator, 2) is not None:
        number = [g.add("Reshape", [number[0], np.array([], np.int64)])]
    return g.add("Pad", [g.value(operator, 0), np.array(sum(_borders(g, operator), ()), np.int64), *number])


@rule("MIRROR_PAD")
def mirror_pad(g: Importer, operator: Operator) -> ir.Value:
    """REFLECT leaves the border itself out. SYMMETRIC repeats it, which is ONNX's edge for one row; more rows are
    gathered.
    """
    x, (before, after) = g.value(operator, 0), _borders(g, operator)
    mode = "reflect" if g.option(operator, "mode", most=1) == _REFLECT else "edge"
    if mode == "reflect" or max(*before, *after) <= 1:
        if len(before) == len(TO_FIRST) and not any((before[0], before[3], after[0], after[3])):
            # Channels first, as targets have it that mirror height and width alone.
            pads = [sides[axis] for sides in (before, after) for axis in TO_FIRST]
            return g.channels_last(g.add("Pad", [g.picture(operator), np.array(pads, np.int64)], mode=mode))
        return g.add("Pad", [x, np.array((*before, *after), np.int64)], mode=mode)
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if not low and not high:
            continue
        length = g.tensor(operator, 0).shape[axis]
        if length is None or max(low, high) > length:
            raise g.refusal(operator, f"mirrors {max(low, high)} rows of {length}", "export it with a fixed size")
        places = (*reversed(range(low)), *range(length), *reversed(range(length - high, length)))
        x = g.add("Gather", [x, np.array(places, np.int64)], axis=axis)
    return x


def _borders(g: Importer, operator: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    numbers, rank = g.ints(operator, 1), g.rank(operator, 0)
    if len(numbers) != 2 * rank or min(numbers, default=0) < 0 or max(numbers, default=0) > 1 << 16:
        raise g.refusal(operator, f"pads {rank} axes by {numbers[:16]}", _WHOLE)
    return tuple(numbers[::2]), tuple(numbers[1::2])


@rule("CONCATENATION")
def concatenation(g: Importer, operator: Operator) -> ir.Value:
    """Concat."""
    rank = g.rank(operator, 0)
    axis = g.option(operator, "axis", most=rank - 1, least=-rank)
    return g.add("Concat", [g.value(operator, place) for place in range(len(operator.inputs))], axis=axis % rank)


@rule("SPLIT")
def split(g: Importer, operator: Operator) -> list[ir.Value]:
    """Equal parts; the axis is the first input."""
    (axis,) = g.axes(operator, 0, g.rank(operator, 1)) or [0]
    count = len(operator.outputs)
    length = g.tensor(operator, 1).shape[axis]
    if length is None or length % count:
        raise g.refusal(operator, f"splits {length} into {count} parts", _WHOLE)
    sizes = np.full(count, length // count, np.int64)
    return g.add_many("Split", [g.value(operator, 1), sizes], count, axis=axis)


@rule("SPLIT_V")
def split_v(g: Importer, operator: Operator) -> list[ir.Value]:
    """Parts of given sizes, one of which may be what is left."""
    (axis,) = g.axes(operator, 2, g.rank(operator, 0)) or [0]
    sizes, length = g.ints(operator, 1), g.tensor(operator, 0).shape[axis]
    if length is not None and sizes.count(-1) == 1:
        sizes = [length - sum(sizes) - 1 if size < 0 else size for size in sizes]
    if len(sizes) != len(operator.outputs) or min(sizes, default=0) < 0 or length not in (None, sum(sizes)):
        raise g.refusal(operator, f"splits {length} into {sizes[:16]}", _WHOLE)
    return g.add_many("Split", [g.value(operator, 0), np.array(sizes, np.int64)], len(sizes), axis=axis)


@rule("PACK")
def pack(g: Importer, operator: Operator) -> ir.Value:
    """Values side by side along a new axis."""
    rank = g.rank(operator, 0) + 1
    axis = g.option(operator, "axis", most=rank - 1, least=-rank) % rank
    at = np.array([axis], np.int64)
    parts = [g.add("Unsqueeze", [g.value(operator, place), at]) for place in range(len(operator.inputs))]
    return g.add("Concat", parts, axis=axis)


@rule("UNPACK")
def unpack(g: Importer, operator: Operator) -> list[ir.Value]:
    """Every place of an axis by itself."""
    rank, count = g.rank(operator, 0), len(operator.outputs)
    axis = g.option(operator, "axis", most=rank - 1, least=-rank) % max(rank, 1)
    parts = g.add_many("Split", [g.value(operator, 0), np.ones(count, np.int64)], count, axis=axis)
    return [g.add("Squeeze", [part, np.array([axis], np.int64)]) for part in parts]


@rule("GATHER")
def gather(g: Importer, operator: Operator) -> ir.Value:
    """Gather, without axes that count as a batch."""
    if g.option(operator, "batchDims"):
        raise g.refusal(operator, "gathers for each place of a batch", "export the generator with a batch of 1")
    rank = g.rank(operator, 0)
    axis = g.option(operator, "axis", most=rank - 1, least=-rank) % max(rank, 1)
    return g.add("Gather", [g.value(operator, 0), g.value(operator, 1)], axis=axis)


@rule("GATHER_ND")
def gather_nd(g: Importer, operator: Operator) -> ir.Value:
    """GatherND."""
    return g.add("GatherND", [g.value(operator, 0), g.value(operator, 1)])


@rule("TILE")
def tile(g: Importer, operator: Operator) -> ir.Value:
    """Tile."""
    return g.add("Tile", [g.value(operator, 0), g.value(operator, 1)])


@rule("BROADCAST_TO")
def broadcast_to(g: Importer, operator: Operator) -> ir.Value:
    """Expand."""
    return g.add("Expand", [g.value(operator, 0), g.value(operator, 1)])


@rule("FILL")
def fill(g: Importer, operator: Operator) -> ir.Value:
    """A number, as often as the shape says, which is the first input."""
    return g.add("Expand", [g.value(operator, 1), g.value(operator, 0)])


@rule("SHAPE")
def shape_of(g: Importer, operator: Operator) -> ir.Value:
    """Shape."""
    return g.add("Shape", [g.value(operator, 0)])


@rule("RANGE")
def range_of(g: Importer, operator: Operator) -> ir.Value:
    """Range."""
    return g.add("Range", [g.value(operator, place) for place in range(3)])


@rule("REVERSE_V2")
def reverse(g: Importer, operator: Operator) -> ir.Value:
    """From the last to the first along the axes."""
    axes = g.axes(operator, 1, g.rank(operator, 0))
    ends = (np.full(len(axes), end, np.int64) for end in (-1, np.iinfo(np.int64).min))
    return g.add("Slice", [g.value(operator, 0), *ends, np.array(axes, np.int64), np.full(len(axes), -1, np.int64)])
