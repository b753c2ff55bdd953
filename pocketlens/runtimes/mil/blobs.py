"""Reads ``weight.bin``: blobs of 64 bytes of metadata each, then its data.

The layout is Apple's MILBlob storage format, version 2, all little-endian. A file starts with 64 bytes: the number of
blobs and the version, both 32 bit. A constant holds the offset of its blob's metadata: the sentinel and the type of the
data (32 bit each), the number of its bytes, its offset, and how many bits at its end are padding (64 bit each).
"""

import struct
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SENTINEL = 0xDEADBEEF
_VERSION = 2
_HEADER = struct.Struct("<II")
_METADATA = struct.Struct("<IIQQQ")
_SPACE = 64
TYPES = {
    1: "FLOAT16",
    2: "FLOAT32",
    3: "UINT8",
    4: "INT8",
    6: "INT16",
    7: "UINT16",
    8: "INT4",
    9: "UINT1",
    10: "UINT2",
    11: "UINT4",
    12: "UINT3",
    13: "UINT6",
    14: "INT32",
    15: "UINT32",
}
"""The storage format's type numbers, and what the program calls the same types."""


class BlobFile:
    """One weight file, read once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        data = np.fromfile(self._path, np.uint8)
        if len(data) < _SPACE or _HEADER.unpack(data[: _HEADER.size].tobytes())[1] != _VERSION:
            raise ValueError(f"{self._path.name} is not a weight file of version {_VERSION}")
        return data

    def read(self, offset: int, kind: str) -> NDArray[np.uint8]:
        """The data bytes of the blob at an offset.

        Raises:
            ValueError: There is no blob of this type at the offset, or it reaches past the end of the file.
        """
        data = self._bytes
        where = f"{self._path.name} at {offset}"
        if offset + _SPACE > len(data):
            raise ValueError(f"{where}: the file ends at {len(data)}")
        sentinel, number, count, start, _ = _METADATA.unpack(data[offset : offset + _METADATA.size].tobytes())
        if sentinel != _SENTINEL:
            raise ValueError(f"{where}: no blob starts here (sentinel {sentinel:#x}, expected {_SENTINEL:#x})")
        if TYPES.get(number) != kind:
            raise ValueError(f"{where}: the blob holds {TYPES.get(number, number)}, the program expects {kind}")
        if start + count > len(data):
            raise ValueError(f"{where}: the blob ends at {start + count}, the file at {len(data)}")
        return data[start : start + count]
