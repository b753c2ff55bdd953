"""Bicubic scaling on several threads, as products of small matrices.

Scaling is linear: a picture is multiplied by one matrix from the left, which mixes rows, and by one from the right,
which mixes columns. Both are zero but for a band, so each block of rows or columns is a small dense product, and
numpy's float32 products use all lanes of a core. Kernel and edges are those of Pillow's ``BICUBIC``. Pillow rounds
between its two passes and this does not, so the result is closer to exact scaling.

Blocks that lie alike between the positions of the source are one call of numpy, since Python's threads wait for each
other at each call.
"""

import functools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.images import Floats, Picture
from pocketlens.quick_dataclass import dataclass
from pocketlens.runtimes.rows import MOST_THREADS, at_once

_SINGLE = 1 << 18
"""OpenBLAS plays a product of up to so many multiply-adds on the thread that asks. For a larger one it wakes threads of
its own, which wait for each other: on busy cores that takes a hundred times as long.
"""
_GROUP, _WIDEST = 32, 640
"""The most rows of a product that mixes columns, and the most columns of one that mixes rows."""
_CHUNK, _MOST_ROWS = 3 << 17, 128
"""About how many floats are worked on at a time, and the most rows that are kept between two passes. Fewer stay in a
core's cache, and take more calls.
"""
Step = Callable[[NDArray[Any], NDArray[Any]], object]
"""A call of numpy, on the result, the picture and arrays of the thread."""


@dataclass(frozen=True, eq=False)
class _Axis:
    """The weights of an axis, in blocks of positions; along a row, each channel of a pixel is a position.

    Attributes:
        length: Positions of a block.
        taps: Positions of the source that a block reads.
        first: The one that each block reads first. Those outside the source have zeros as weights.
        period, step: Block ``i + period`` lies as block ``i`` does, ``step`` positions of the source further on.
        weights: ``[blocks, length, taps]`` of rows, ``[blocks, taps, length]`` of columns.
    """

    length: int
    taps: int
    first: tuple[int, ...]
    period: int
    step: int
    weights: Floats

    def reads(self, begin: int = 0, end: int = 0) -> int:
        """How many positions blocks ``begin:end`` read; all of them without these."""
        return self.first[end - 1] + self.taps - self.first[begin]


def scale(picture: NDArray[Any], height: int, width: int, threads: int = 1) -> Picture:
    """Stretch a picture to another size with the antialiased bicubic filter; the result is rounded once.

    Args:
        picture: ``uint8`` or ``float32 [H, W, C]``; any strides. Floats count as clamped to 0..255, NaN as 0.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        threads: On how many threads, at most :data:`pocketlens.runtimes.rows.MOST_THREADS`.

    Returns:
        ``uint8 [height, width, C]``; a picture of bytes itself if it has this size.

    Example:
        >>> scale(np.full((480, 640, 3), 7, np.uint8), 256, 256)[0, 0].tolist()
        [7, 7, 7]
    """
    if picture.shape[:2] == (height, width) and picture.dtype == np.uint8:
        return picture
    result: Picture = np.empty((height, width, picture.shape[2]), np.uint8)
    scale_into(result, picture, threads)
    return result


def scale_into(result: NDArray[Any], picture: NDArray[Any], threads: int = 1) -> None:
    """The same into an array that is there; floats are clamped to 0..255 and not rounded.

    Args:
        result: ``uint8`` or ``float32 [height, width, C]``; any strides.
        picture: ``uint8`` or ``float32 [H, W, C]``; any strides.
        threads: On how many threads, at most :data:`pocketlens.runtimes.rows.MOST_THREADS`.
    """
    parts = max(1, min(threads, MOST_THREADS, len(result) // _GROUP))
    at_once([functools.partial(_fill, result, picture, part, parts) for part in range(parts)])


def _fill(result: NDArray[Any], picture: NDArray[Any], part: int, parts: int) -> None:
    """The rows of one part of the result."""
    bytes_in, bytes_out = picture.dtype == np.uint8, result.dtype == np.uint8
    for step in _ROOM.plan(picture.shape, result.shape[:2], bytes_in, bytes_out, part, parts):
        step(result, picture)


class _Room(threading.local):
    """What a thread keeps from one picture to the next: arrays, since fresh memory costs more than the arithmetic in
    it, and plans, since other threads wait while one of them prepares a call.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Floats] = {}
        self.plan = functools.lru_cache(16)(self._plan)

    def _plan(
        self, before: tuple[int, ...], after: tuple[int, ...], bytes_in: bool, rounded: bool, part: int, parts: int
    ) -> tuple[Step, ...]:
        """The steps of one part, with the passes in the order that takes fewer multiply-adds."""
        channels = before[2]
        rows, columns = _rows(before[0], after[0]), _columns(before[1], after[1], channels)
        begin, end = (len(rows.first) * i // parts for i in (part, part + 1))
        rows_first = after[0] * (before[1] * rows.taps + after[1] * columns.taps)
        columns_first = after[1] * (before[0] * columns.taps + after[0] * rows.taps)
        steps: list[Step] = []
        if rows_first <= columns_first:
            several = _CHUNK * rows.period // (rows.step * columns.reads())  # blocks
            for start, stop in _pieces(begin, end, _MOST_ROWS // rows.length):
                mixed = self._array("mixed", (stop - start) * rows.length, columns.reads())
                for first, last in _pieces(start, stop, several):
                    source = self._array("source", rows.reads(first, last), columns.reads())
                    steps += _load(source, before, bytes_in, rows, columns, first, last)
                    steps += _mix_rows(rows, first, last, source, 0, mixed, (first - start) * rows.length)
                scaled = self._array("source", len(mixed), len(columns.first) * columns.length)
                steps += _mix_columns(columns, mixed, scaled)
                steps += [_lift(scaled)] * rounded
                steps.append(_store(scaled, after, channels, start * rows.length, stop * rows.length))
        else:
            source = self._array("source", rows.reads(begin, end), columns.reads())
            mixed = self._array("mixed", len(source), len(columns.first) * columns.length)
            steps += _load(source, before, bytes_in, rows, columns, begin, end)
            steps += [_lift(source)] * rounded
            steps += _mix_columns(columns, source, mixed)
            for start, stop in _pieces(begin, end, _CHUNK // (rows.length * mixed.shape[1])):
                scaled = self._array("source", (stop - start) * rows.length, mixed.shape[1])
                steps += _mix_rows(rows, start, stop, mixed, rows.first[start] - rows.first[begin], scaled, 0)
                steps.append(_store(scaled, after, channels, start * rows.length, stop * rows.length))
        return tuple(steps)

    def _array(self, name: str, rows: int, columns: int) -> Floats:
        """``float32 [rows, columns]`` of any values, both rounded up so that products of one shape fill it."""
        rows, columns = -(-rows // _groups(rows)) * _groups(rows), -(-columns // 64) * 64
        kept = self._kept.get(name)
        if kept is None or kept.size < rows * columns:
            kept = self._kept[name] = np.zeros(rows * columns, np.float32)
        return kept[: rows * columns].reshape(rows, columns)


def _pieces(begin: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    length = max(1, length)
    return ((start, min(end, start + length)) for start in range(begin, end, length))


def _load(
    source: Floats, before: tuple[int, ...], bytes_in: bool, rows: _Axis, columns: _Axis, begin: int, end: int
) -> Iterator[Step]:
    """What the blocks ``begin:end`` of rows read of a picture, as floats of 0..255; around it any values stay."""
    height, width, channels = before
    first, last, left = rows.first[begin], rows.first[end - 1] + rows.taps, -columns.first[0]
    top, bottom = max(first, 0), min(last, height)
    inside = source[top - first : bottom - first, left : left + width * channels].reshape(-1, width, channels)
    if bytes_in:
        yield lambda result, picture: np.copyto(inside, picture[top:bottom])
    else:
        yield lambda result, picture: _clamp(picture[top:bottom], inside)


def _clamp(values: Floats, into: Floats) -> None:
    """Copy floats, clamped to 0..255, NaN as 0. Most filters clamp by themselves, and to see it takes less."""
    if values.min() >= 0 and values.max() <= 255:  # NaN is neither
        np.copyto(into, values)
        return
    np.fmax(values, 0, out=into)  # of NaN and 0 it takes 0
    np.minimum(into, 255, out=into)


def _mix_rows(
    axis: _Axis, begin: int, end: int, source: Floats, top: int, into: Floats, top_into: int
) -> Iterator[Step]:
    """``into [n, N] = weights [n, k] @ source [k, N]`` of the blocks ``begin:end``, as products of few columns."""
    pitch = source.shape[1]
    products = -(-pitch // min(_WIDEST, _SINGLE // (axis.length * axis.taps)))
    while pitch % products:
        products += 1
    wide, further = pitch // products, axis.period * axis.length
    for block in range(begin, min(end, begin + axis.period)):
        weights = axis.weights[block : end : axis.period, None]
        read, write = top + axis.first[block] - axis.first[begin], top_into + (block - begin) * axis.length
        shape = (len(weights), products)
        yield _product(
            weights,
            _view(source, read * pitch, (*shape, axis.taps, wide), (axis.step * pitch, wide, pitch, 1)),
            _view(into, write * pitch, (*shape, axis.length, wide), (further * pitch, wide, pitch, 1)),
        )


def _groups(rows: int) -> int:
    """Into how many products as many rows divide."""
    return -(-rows // _GROUP)


def _mix_columns(axis: _Axis, source: Floats, into: Floats) -> Iterator[Step]:
    """``into [R, n] = source [R, k] @ weights [k, n]`` of each block, as products of few rows."""
    high = len(source) // _groups(len(source))
    while high > 1 and high * axis.taps * axis.length > _SINGLE:
        high = next(h for h in range(high - 1, 0, -1) if high % h == 0)
    pitch, pitch_into, further = source.shape[1], into.shape[1], axis.period * axis.length
    for block in range(min(len(axis.first), axis.period)):
        weights = axis.weights[block :: axis.period, None]
        shape, read = (len(weights), len(source) // high, high), axis.first[block] - axis.first[0]
        yield _product(
            _view(source, read, (*shape, axis.taps), (axis.step, high * pitch, pitch, 1)),
            weights,
            _view(into, block * axis.length, (*shape, axis.length), (further, high * pitch_into, pitch_into, 1)),
        )


def _view(array: Floats, start: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Floats:
    """A view of an array's floats, some of them more than once; ``start`` and ``strides`` count floats."""
    return np.ndarray(shape, np.float32, array, 4 * start, [4 * stride for stride in strides])


def _product(left: Floats, right: Floats, into: Floats) -> Step:
    return lambda result, picture: np.matmul(left, right, out=into)


def _lift(values: Floats) -> Step:
    """Half a unit is added, and the conversion to ``uint8`` cuts fractions off. The sum of all weights is 1, so it
    may be added before a pass.
    """
    half = np.float32(0.5)
    return lambda result, picture: np.add(values, half, out=values)


def _store(scaled: Floats, after: tuple[int, ...], channels: int, top: int, bottom: int) -> Step:
    """Rows ``top:bottom``, of which the last may lie behind the result."""
    height, width = min(bottom, after[0]) - top, after[1]
    values = scaled[:height, : width * channels].reshape(height, width, channels)
    return lambda result, picture: np.clip(values, 0, 255, out=result[top:bottom], casting="unsafe")


_ROOM = _Room()


@functools.lru_cache(maxsize=32)
def _rows(before: int, after: int) -> _Axis:
    """The axis from row to row. Enlarging reads few rows, so long blocks cost little there."""
    length = 15 if after > before and after % 15 == 0 else _length(after)
    return _axis(before, after, length)


@functools.lru_cache(maxsize=32)
def _columns(before: int, after: int, channels: int) -> _Axis:
    """The axis along a row: channels lie beside each other, and none reads another's."""
    axis = _axis(before, after, _length(after) * max(1, 4 // channels))
    weights = np.kron(axis.weights.transpose(0, 2, 1), np.eye(channels, dtype=np.float32))
    first = tuple(channels * position for position in axis.first)
    return _Axis(channels * axis.length, channels * axis.taps, first, axis.period, channels * axis.step, weights)


def _length(after: int) -> int:
    """How many positions the blocks of a side have. A long block multiplies many zeros; where blocks fill the side,
    their period is short.
    """
    return 5 if after % 5 == 0 else 4


def _axis(before: int, after: int, length: int) -> _Axis:
    """The weights of an axis in blocks of a length."""
    # Centers of positions and the reach of the kernel, in 2 * after parts of a position of the source.
    begins, reach, parts = range(0, after, length), 4 * max(before, after), 2 * after
    first = tuple(((2 * begin + 1) * before - reach) // parts for begin in begins)
    last = [-(-((2 * (begin + length) - 1) * before + reach) // parts) for begin in begins]
    taps = max(end - begin for begin, end in zip(first, last, strict=True))
    period = after // math.gcd(before, after)
    period //= math.gcd(period, length)
    read = np.array(first)[:, None, None] + np.arange(taps)
    positions = np.arange(len(first) * length).reshape(-1, length, 1)
    positions = np.minimum(positions, after - 1)  # what lies behind the last one is not stored
    centers = (positions + 0.5) * (before / after)
    weights = _bicubic((read + 0.5 - centers) / max(before / after, 1.0)) * ((read >= 0) & (read < before))
    weights /= weights.sum(2, keepdims=True)
    return _Axis(length, taps, first, period, period * length * before // after, weights.astype(np.float32))


def _bicubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.5, as Pillow has it."""
    x = np.abs(distance)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
