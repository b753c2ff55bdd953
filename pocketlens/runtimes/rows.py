"""Work on the rows of a picture, shared among threads."""

import functools
import os
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

MOST_THREADS = 4
"""More gain nothing: memory is the limit."""


def share_rows(work: Callable[[int, int], None], rows: int, threads: int) -> None:
    """Call ``work(top, bottom)`` for parts of ``rows`` that follow one another, at the same time; wait for all.

    Args:
        work: Computes rows ``top:bottom``; numpy lets other threads run meanwhile.
        rows: How many there are.
        threads: How many parts, at most :data:`MOST_THREADS`; the first is played by the thread that asks.

    Example:
        >>> parts = []
        >>> share_rows(lambda top, bottom: parts.append((top, bottom)), 10, threads=2)
        >>> sorted(parts)
        [(0, 5), (5, 10)]
    """
    parts = max(1, min(threads, MOST_THREADS))
    edges = [round(i * rows / parts) for i in range(parts + 1)]
    spans = [(top, bottom) for top, bottom in pairwise(edges) if top < bottom]
    waiting = [pool().submit(work, *span) for span in spans[1:]]
    if spans:
        work(*spans[0])
    for future in waiting:
        future.result()


@functools.cache
def pool() -> "ThreadPoolExecutor":
    """The threads that share rows, besides the one that asks."""
    from concurrent.futures import ThreadPoolExecutor  # not needed for a first small frame

    return ThreadPoolExecutor(MOST_THREADS - 1, "pocketlens rows")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # a fork has none of its parent's threads
