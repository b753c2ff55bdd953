"""Bicubic scaling on several threads, as products of small matrices.

Scaling is linear: a picture is multiplied by one matrix from the left, which mixes rows, and by one from the right,
which mixes columns. Both are zero but for a band, so each block of rows or columns is a small dense product, and
numpy's float32 products use all lanes of a core. Kernel and edges are those of Pillow's ``BICUBIC``. Pillow rounds
between its two passes and this does not, so the result is closer to exact scaling.
"""

import functools
import itertools
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.images import Floats, Picture

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_SINGLE = 1 << 18
"""OpenBLAS plays a product of up to so many multiply-adds on the thread that asks. For a larger one it wakes threads of
its own, which wait for each other: on busy cores that takes a hundred times as long.
"""
_ROWS, _MOST_ROWS = 16, 128
"""Rows of a product, and the rows that are kept in float between the two passes."""
_WIDEST = 320
"""Columns of a product that mixes rows."""
MOST_THREADS = 4
"""More gain nothing: memory is the limit."""


@dataclass(frozen=True, eq=False)
class _Block:
    """The weights that make positions ``begin:end`` along an axis from positions ``first:last`` of the source."""

    begin: int
    end: int
    first: int
    last: int
    weights: Floats


def scale(picture: Picture, height: int, width: int, threads: int = 1) -> Picture:
    """Stretch a picture to a size with the antialiased bicubic filter; the result is rounded once.

    Args:
        picture: ``uint8 [H, W, C]``; any strides.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        threads: On how many threads, at most :data:`MOST_THREADS`.

    Returns:
        ``uint8 [height, width, C]``; the picture itself if it has this size.

    Example:
        >>> scale(np.full((480, 640, 3), 7, np.uint8), 256, 256)[0, 0].tolist()
        [7, 7, 7]
    """
    if picture.shape[:2] == (height, width):
        return picture
    result: Picture = np.empty((height, width, picture.shape[2]), np.uint8)
    scale_into(result, picture, threads)
    return result


def scale_into(result: NDArray[Any], picture: Picture, threads: int = 1) -> None:
    """The same into an array that is there; floats are neither clamped nor rounded.

    Args:
        result: ``uint8`` or ``float32 [height, width, C]``; any strides.
        picture: ``uint8 [H, W, C]``; any strides.
        threads: On how many threads, at most :data:`MOST_THREADS`.
    """
    rows, parts = result.shape[0], max(1, min(threads, MOST_THREADS, result.shape[0] // (2 * _ROWS)))
    edges = [round(i * rows / parts / _ROWS) * _ROWS for i in range(parts)] + [rows]
    spans = list(itertools.pairwise(edges))
    waiting = [_pool().submit(_fill_rows, result, picture, *span) for span in spans[1:]]
    _fill_rows(result, picture, *spans[0])
    for future in waiting:
        future.result()


def _fill_rows(result: NDArray[Any], picture: Picture, top: int, bottom: int) -> None:
    """Rows ``top:bottom`` of the result, with the passes in the order that takes fewer multiply-adds."""
    (before, before_width, channels), (after, after_width) = picture.shape, result.shape[:2]
    columns, rows = _column_blocks(before_width, after_width, channels), _row_blocks(before, after)
    columns_cost, rows_cost = columns[0].weights.shape[0], rows[0].weights.shape[1]
    rows_first = after * (before_width * rows_cost + after_width * columns_cost)
    columns_first = after_width * (before * columns_cost + after * rows_cost)
    blocks = [block for block in rows if top <= block.begin < bottom]
    if rows_first <= columns_first:
        for start in range(top, bottom, _MOST_ROWS):
            end = min(bottom, start + _MOST_ROWS)
            mixed = _ROOM.rows("mixed", end - start, before_width * channels)
            for block in blocks:
                if start <= block.begin < end:
                    _mix_rows(block, _floats(picture, block.first, block.last), mixed[block.begin - start :])
            scaled = _ROOM.rows("scaled", end - start, after_width * channels)
            _mix_columns(columns, mixed, scaled)
            _store(scaled, result[start:end])
        return
    first, last = blocks[0].first, blocks[-1].last
    mixed = _ROOM.rows("mixed", last - first, after_width * channels)
    _mix_columns(columns, _floats(picture, first, last), mixed)
    for block in blocks:
        scaled = _ROOM.rows("scaled", _ROWS, after_width * channels)
        _mix_rows(block, mixed[block.first - first :], scaled)
        _store(scaled, result[block.begin : block.end])


def _floats(picture: Picture, first: int, last: int) -> Floats:
    rows = _ROOM.rows("source", last - first, picture.shape[1] * picture.shape[2])
    part = rows[: last - first, : picture.shape[1] * picture.shape[2]]
    np.copyto(part.reshape(last - first, *picture.shape[1:]), picture[first:last])
    return rows


def _mix_rows(block: _Block, source: Floats, into: Floats) -> None:
    """``into [n, N] = weights [n, k] @ source [k, N]``, as products of few columns."""
    rows, taps = block.weights.shape
    wide = min(_WIDEST, max(32, _SINGLE // (rows * taps) // 32 * 32), source.shape[1])
    whole = source.shape[1] // wide * wide
    source, into = source[:taps], into[:rows]
    np.matmul(block.weights, _side_by_side(source[:, :whole], wide), out=_side_by_side(into[:, :whole], wide))
    if whole < source.shape[1]:
        np.matmul(block.weights, source[:, whole:], out=into[:, whole:])


def _mix_columns(blocks: tuple[_Block, ...], source: Floats, into: Floats) -> None:
    """``into [R, n] = source [R, k] @ weights [k, n]`` for each block, as products of few rows."""
    for block in blocks:
        taps, wide = block.weights.shape
        rows = 2
        while rows < _ROWS and 2 * rows * taps * wide <= _SINGLE:
            rows *= 2
        np.matmul(
            _stacked(source[:, block.first : block.last], rows),
            block.weights,
            out=_stacked(into[:, block.begin : block.end], rows),
        )


def _side_by_side(rows: Floats, wide: int) -> Floats:
    return rows.reshape(rows.shape[0], -1, wide).transpose(1, 0, 2)


def _stacked(rows: Floats, count: int) -> Floats:
    return rows.reshape(-1, count, rows.shape[1])


def _store(scaled: Floats, into: NDArray[Any]) -> None:
    height, width, channels = into.shape
    values = scaled[:height, : width * channels]
    if into.dtype == np.uint8:
        np.add(values, np.float32(0.5), out=values)  # the conversion cuts fractions off
        np.clip(values, 0, 255, out=values)
    np.copyto(into, values.reshape(height, width, channels), casting="unsafe")


class _Room(threading.local):
    """Arrays that a thread keeps from one picture to the next: fresh memory costs more than the arithmetic in it."""

    def __init__(self) -> None:
        self._kept: dict[str, Floats] = {}

    def rows(self, name: str, count: int, columns: int) -> Floats:
        """``float32 [rows, columns]`` of any values, with rows up to a multiple of :data:`_ROWS`."""
        count = -(-count // _ROWS) * _ROWS
        kept = self._kept.get(name)
        if kept is None or kept.size < count * columns:
            kept = self._kept[name] = np.zeros(count * columns, np.float32)
        return kept[: count * columns].reshape(count, columns)


_ROOM = _Room()


@functools.cache
def _pool() -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # not needed for a first frame of the artifact's size

    return ThreadPoolExecutor(MOST_THREADS - 1, "pocketlens scaling")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork has none of its parent's threads


@functools.lru_cache(maxsize=32)
def _row_blocks(before: int, after: int) -> tuple[_Block, ...]:
    return _blocks(before, after, _ROWS // 2 if after <= before else _ROWS)


@functools.lru_cache(maxsize=32)
def _column_blocks(before: int, after: int, channels: int) -> tuple[_Block, ...]:
    """Blocks of columns, of which each pixel has ``channels``: weights ``[k * channels, n * channels]``."""
    interleaved = np.eye(channels, dtype=np.float32)
    return tuple(
        _Block(
            channels * block.begin,
            channels * block.end,
            channels * block.first,
            channels * block.last,
            np.ascontiguousarray(np.kron(block.weights.T, interleaved)),
        )
        for block in _blocks(before, after, 8 if after <= before else 32)
    )


def _blocks(before: int, after: int, length: int) -> tuple[_Block, ...]:
    """The weights of an axis, ``[n, k]`` each, for blocks of ``length`` positions."""
    ratio = before / after
    support = 2 * max(ratio, 1.0)
    blocks = []
    for begin in range(0, after, length):
        end = min(after, begin + length)
        centers = (np.arange(begin, end) + 0.5) * ratio
        first = min(before - 1, max(0, int(np.floor(centers[0] - support))))
        last = max(first + 1, min(before, int(np.ceil(centers[-1] + support))))
        weights = _bicubic((np.arange(first, last) + 0.5 - centers[:, None]) / max(ratio, 1.0))
        blocks.append(_Block(begin, end, first, last, (weights / weights.sum(1, keepdims=True)).astype(np.float32)))
    return tuple(blocks)


def _bicubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.5, as Pillow has it."""
    x = np.abs(distance)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
