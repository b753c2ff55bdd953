"""What a picture's file may ask of its decoder, decided from its head before its pixels are decoded."""

import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any

MAX_SIDE = 1 << 16
"""Most pixels of one side: a resampling keeps some 100 bytes for each row that it makes."""
MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels; a larger one is refused before its pixels are read."""
MAX_SCANNED = 2_000_000_000
"""Most pixels that the scans of a JPEG go over together: a progressive file has about ten scans, a hostile one
thousands.
"""
_COPIES = {"WEBP": 2}
"""How many pictures of its size a format's decoder keeps, where it is more than one."""
_CHUNK = 1 << 20
_SCAN = b"\xff\xda"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def problem(image: Any, file: IO[bytes]) -> str:
    """Why an opened picture is not decoded, in words; empty if it may be.

    Args:
        image: Of Pillow, whose pixels are not loaded yet.
        file: Its bytes; read from the start, and left anywhere.
    """
    pixels = image.width * image.height
    copies = _COPIES.get(image.format, 1)
    if max(image.size) > MAX_SIDE:
        return f"is {image.width} x {image.height} pixels, and a side may have {MAX_SIDE:,}"
    if pixels * copies > MAX_PIXELS:
        return f"is {image.width} x {image.height} pixels, more than {MAX_PIXELS // copies:,} pixels"
    if image.format == "JPEG" and (scans := _count(file, _SCAN)) * pixels > MAX_SCANNED:
        return f"draws its {pixels:,} pixels in {scans:,} scans, which takes minutes"
    if image.format == "PNG" and _is_cut(file):
        return "cannot be read as a picture: it is cut, and holds fewer rows than its head says"
    return ""


def _count(file: IO[bytes], mark: bytes) -> int:
    """How often a mark of two bytes stands in a file; in the data of a JPEG it cannot stand by chance."""
    file.seek(0)
    count, last = 0, b""
    while chunk := file.read(_CHUNK):
        count += (last + chunk).count(mark)
        last = chunk[-1:]
    return count


def _is_cut(file: IO[bytes]) -> bool:
    """Whether the data of a PNG unpacks to fewer bytes than its rows have: Pillow leaves the others black."""
    file.seek(8)
    expected, unpacked, unpacker = 0, 0, zlib.decompressobj()
    for kind, data in _chunks(file):
        if kind == b"IHDR" and len(data) >= 13:
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[:13])
            bits = depth * _CHANNELS.get(colour, 1)
            passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
            sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
            expected = sum(rows * ((columns * bits + 7) // 8 + 1) for columns, rows in sizes if columns > 0 < rows)
        elif kind == b"IDAT":
            packed = data
            while packed and unpacked < expected:
                try:
                    unpacked += len(unpacker.decompress(packed, _CHUNK))
                except zlib.error:
                    return False  # damaged otherwise, which Pillow says in its words
                packed = unpacker.unconsumed_tail
            if unpacked >= expected:
                return False
    return unpacked < expected


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The type and the data of each chunk of a PNG; data in pieces, the rest of a cut chunk as far as it is there."""
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        while length > 0 and (data := file.read(min(length, _CHUNK))):
            length -= len(data)
            yield kind, data
        if length:
            return
        file.read(4)
