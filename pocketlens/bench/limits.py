"""How much is read of what devices send, and which figures are believed. A device may be broken, or somebody else's.

Each limit is far above what an honest device sends; the documentation's page on devices has them in a table.
"""

MAX_ANSWER_BYTES = 4 << 20
"""A worker's answer without a picture, in bytes. A block of 50,000 frames, one second of 20 µs each, takes 0.9 MB."""
MAX_OUTPUT_BYTES = 1 << 20
"""What a command prints, in bytes, and what a login shell prints before a worker's first line."""
KEPT_COMPLAINT_BYTES = 1 << 16
"""How much of a program's standard error is kept, in bytes: the end, which tells why it stopped."""
MAX_TEXT = 1000
"""Characters of a text: the name of a processor, a path, a version."""
MAX_ERROR_TEXT = 20_000
"""Characters of an error message: those of runtimes quote parts of files."""
MAX_ENTRIES = 1000
"""Entries of a list of names: packages, modules, features of a processor."""

MIN_MS, MAX_MS = 1e-3, 3.6e6
"""The time of one frame in ms: from 1 µs, which no call of a runtime reaches, to one hour."""
MAX_SIDE = 1 << 16
"""Pixels of a picture's side."""
MAX_MB = 1e8
"""Memory in MB."""
CLOCK_SLACK = 2.0
"""How many times longer than the wait for them here the frames of a block may have taken there. Clocks of virtual
machines drift; none runs twice as fast.
"""
PSNR_SLACK_DB = 0.1
"""How far a worker's own score may be from the one that its picture has here."""
MAX_GLIBC_MINOR = 99
"""glibc's minor version; one adds about two a year, and stood at 42 in 2025. Each makes a tag of wheels for pip."""


def picture_bytes(values: int) -> int:
    """The most bytes of an answer with a picture of so many values: in base64, and not even zlib could shrink it.

    Example:
        >>> picture_bytes(64 * 64 * 3)
        4211507
    """
    return MAX_ANSWER_BYTES + values * 14 // 10
