"""Work on the rows of a picture, shared among threads."""

import functools
import os
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise

Work = Callable[[], object]

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
    at_once([functools.partial(work, top, bottom) for top, bottom in pairwise(edges) if top < bottom])


def at_once(works: Sequence[Work]) -> None:
    """Call all at the same time, the first on the thread that asks; wait for all, and raise what one raised."""
    helpers = [_idle_helper() for _ in works[1:]]
    for helper, work in zip(helpers, works[1:], strict=True):
        helper.start(work)
    try:
        for work in works[:1]:
            work()
    finally:
        errors = [helper.wait() for helper in helpers]
        _IDLE.extend(helpers)  # not behind an interrupted wait: such a helper may still be at work
    for error in errors:
        if error is not None:
            raise error


class _Helper:
    """A thread that does one work after the other. Two locks hand it over and back: through a pool's queue and future
    that takes a tenth of a millisecond longer, and a picture is scaled in half of one.
    """

    def __init__(self) -> None:
        self._work: Work | None = None
        self._error: BaseException | None = None
        self._asked, self._done = threading.Lock(), threading.Lock()
        self._asked.acquire()
        self._done.acquire()
        threading.Thread(target=self._serve, name="pocketlens rows", daemon=True).start()

    def start(self, work: Work) -> None:
        """Begin with a work; :meth:`wait` before the next."""
        self._work = work
        self._asked.release()

    def wait(self) -> BaseException | None:
        """What the work raised, once it has ended."""
        self._done.acquire()
        error, self._error = self._error, None
        return error

    def _serve(self) -> None:
        while True:
            self._asked.acquire()
            try:
                assert self._work is not None
                self._work()
            except BaseException as error:  # noqa: BLE001 - it belongs to the thread that asked
                self._error = error
            self._work = None  # it holds pictures
            self._done.release()


_IDLE: list[_Helper] = []
"""Helpers that wait for work; two threads that ask at the same time have one each."""


def _idle_helper() -> _Helper:
    try:
        return _IDLE.pop()
    except IndexError:
        return _Helper()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.clear)  # a fork has none of its parent's threads
