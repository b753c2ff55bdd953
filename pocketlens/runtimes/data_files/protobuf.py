"""Reads the chain of ``key, length, content`` that a protobuf file is, without a library and without copies.

https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from mmap import mmap

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Buffer = bytes | mmap


class DamagedError(ValueError):
    """The bytes are no chain of protobuf fields."""


def varint(data: Buffer, at: int) -> tuple[int, int]:
    """The number that starts at a byte, and the place behind it.

    Example:
        >>> varint(bytes([0xAC, 0x02]), 0)
        (300, 2)
    """
    if at < len(data) and data[at] < 0x80:  # most numbers are of one byte
        return data[at], at + 1
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise DamagedError("it ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message in ``data[at:end]``: number, wire type, and the two ends of the content.

    Of a number (wire type 0) the last is the number itself.

    Raises:
        DamagedError: The bytes are no message.
    """
    while at < end:
        key, at = varint(data, at)
        number, shape = key >> 3, key & 7
        if key >> 32 or not number:
            raise DamagedError(f"a field has the number {number}")
        if shape == VARINT:
            start = at
            value, at = varint(data, at)
            yield number, shape, start, value
        elif shape in (BYTES, FIXED32, FIXED64):
            length = 4 if shape == FIXED32 else 8
            if shape == BYTES:
                length, at = varint(data, at)
            yield number, shape, at, at + length
            at += length
        else:
            raise DamagedError(f"byte {at - 1} is no protobuf field")
        if at > end:
            raise DamagedError(f"it ends within a field, {at - end:,} bytes early")
