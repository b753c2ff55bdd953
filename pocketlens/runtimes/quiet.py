"""Drops what libraries print by themselves, native code among it, where they have no option for it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDOUT, STDERR = 1, 2


@contextmanager
def quiet(descriptor: int) -> Iterator[None]:
    """Drop what is written to :data:`STDOUT` or :data:`STDERR` by this process, also past Python.

    Keep what is inside short: messages of other threads are dropped as well.

    Example:
        >>> with quiet(STDERR):
        ...     written = os.write(STDERR, b"INFO: created a delegate")
    """
    _flush()
    try:
        kept = os.dup(descriptor)
    except OSError:  # it is closed: nothing can be written there
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    try:
        yield
    finally:
        _flush()  # what Python holds back would appear afterwards
        os.dup2(kept, descriptor)
        os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
