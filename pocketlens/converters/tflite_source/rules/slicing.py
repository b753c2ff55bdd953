"""Parts of a value."""

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import Importer, rule

_END = (1 << 31) - 1
_WHOLE = "check that the file is whole, or convert it again"


@rule("SLICE")
def slice_of(g: Importer, operator: Operator) -> ir.Value:
    """From a place on, so many; -1 is everything that is left."""
    begin, size, rank = g.ints(operator, 1), g.ints(operator, 2), g.rank(operator, 0)
    if not len(begin) == len(size) == rank or min(begin, default=0) < 0 or min(size, default=0) < -1:
        raise g.refusal(operator, f"takes {size[:8]} from {begin[:8]} of {rank} axes", _WHOLE)
    ends = [_END if count < 0 else start + count for start, count in zip(begin, size, strict=True)]
    numbers = [np.array(values, np.int64) for values in (begin, ends, range(rank))]
    return g.add("Slice", [g.value(operator, 0), *numbers])


@dataclass
class _Spec:
    """The axes of a slice one after the other, as ONNX counts them."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)


@rule("STRIDED_SLICE")
def strided_slice(g: Importer, operator: Operator) -> ir.Value:
    """Python's slices: ``x[a:b:c, ..., 3]``, each bit of a mask saying what is left out, dropped or added."""
    spec = _spec(g, operator)
    x = g.value(operator, 0)
    if spec.axes:
        numbers = [np.array(values, np.int64) for values in (spec.starts, spec.ends, spec.axes, spec.steps)]
        x = g.add("Slice", [x, *numbers])
    if spec.dropped:
        x = g.add("Squeeze", [x, np.array(spec.dropped, np.int64)])
    return g.add("Unsqueeze", [x, np.array(spec.added, np.int64)]) if spec.added else x


def _spec(g: Importer, operator: Operator) -> _Spec:
    begin, end, strides = (g.ints(operator, place) for place in (1, 2, 3))
    rank, count = g.rank(operator, 0), len(begin)
    if not len(begin) == len(end) == len(strides) <= 2 * rank + 2 or 0 in strides:
        raise g.refusal(operator, f"takes {begin[:8]} to {end[:8]} in steps of {strides[:8]}", _WHOLE)
    if g.option(operator, "offset", most=1):
        raise g.refusal(operator, "counts its ends from its beginnings", "convert the model again")
    names = ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")
    masks = {name: g.option(operator, name, most=1 << 30) for name in names}

    def has(name: str, place: int) -> bool:
        return bool(masks[name] >> place & 1)

    spec, axis, result = _Spec(), 0, 0
    sliced = sum(not has("newAxisMask", i) and not has("ellipsisMask", i) for i in range(count))
    for place in range(count):
        if has("ellipsisMask", place):
            axis, result = axis + rank - sliced, result + rank - sliced
            continue
        if has("newAxisMask", place):
            spec.added.append(result)
            result += 1
            continue
        start, stop, step = begin[place], end[place], strides[place]
        if has("shrinkAxisMask", place):
            stop, step = (start + 1 if start != -1 else _END), 1
            spec.dropped.append(axis)
        else:
            result += 1
            start = (0 if step > 0 else _END) if has("beginMask", place) else start
            stop = (_END if step > 0 else -_END) if has("endMask", place) else stop
        for numbers, number in ((spec.starts, start), (spec.ends, stop), (spec.steps, step), (spec.axes, axis)):
            numbers.append(number)
        axis += 1
    if not 0 <= axis <= rank:
        raise g.refusal(operator, f"takes parts of {axis} axes of {rank}", _WHOLE)
    return spec
