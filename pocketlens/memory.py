"""Memory that is free goes back to the system at once, where pictures are so large that it counts."""

import contextlib
import ctypes
from collections.abc import Iterator
from functools import cache

from pocketlens import machine

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What mallopt(3) calls them."""
_LARGE = 1 << 20
_USUAL = 32 << 20
"""Where glibc's own threshold ends, once a block of that size was freed; it trims at twice as much."""


@contextlib.contextmanager
def large_blocks_returned() -> Iterator[None]:
    """Give every block of 1 MB and more back to the system as soon as it is freed, while the block runs.

    glibc keeps freed blocks of up to 32 MB for the next who asks. Networks ask for blocks of many sizes, in an order
    that leaves holes, so that a process which plays several networks one after the other holds up to twice what each of
    them needs.

    Elsewhere than on Linux with glibc it does nothing.

    Example:
        >>> with large_blocks_returned():
        ...     _ = bytearray(2 << 20)
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGE)
    library.mallopt(_TRIM_THRESHOLD, _LARGE)
    try:
        yield
    finally:
        library.mallopt(_MMAP_THRESHOLD, _USUAL)
        library.mallopt(_TRIM_THRESHOLD, 2 * _USUAL)


def return_small_blocks() -> None:
    """Give back whole pages between blocks that are in use: what an export leaves is 50 MB and more.

    Example:
        >>> return_small_blocks()
    """
    if library := _glibc():
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if any(machine.glibc()) else None
