"""The files that a ``.tflite`` file names: the groups of external buffers in its schema of 2025.

Only the path to them is followed here, offset by offset (https://flatbuffers.dev/internals).
"""

import struct
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pocketlens.errors import InputError

_EXTERNAL_BUFFER_GROUPS = 8
"""The number of the field in the table Model (tensorflow/compiler/mlir/lite/schema/schema.fbs)."""
_MAX_GROUPS = 1000


def names(path: Path) -> list[str]:
    """The files that a model keeps values in, as it names them.

    Raises:
        InputError: It is no flatbuffer, or is damaged.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return _names(data)
    except (ValueError, struct.error) as error:  # an empty file; an offset that points out of it
        raise InputError(f"{path} is not a readable TFLite file: {error}", do="check that it is whole") from error


def _names(data: mmap) -> list[str]:
    groups = _field(data, _number(data, 0), _EXTERNAL_BUFFER_GROUPS)
    if not groups:
        return []
    groups += _number(data, groups)
    count = _number(data, groups)
    if count > _MAX_GROUPS:
        raise ValueError(f"it has {count:,} groups of external buffers")
    found = []
    for at in range(groups + 4, groups + 4 + 4 * count, 4):
        name = _field(data, at + _number(data, at), 0)
        start = name + _number(data, name) if name else 0
        found.append(
            data[start + 4 : start + 4 + _number(data, start)].decode(errors="backslashreplace") if name else ""
        )
    return found


def _number(data: mmap, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _field(data: mmap, table: int, index: int) -> int:
    """Where a field of a table lies; 0 if the table does not have it."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise ValueError("a table lies before its beginning")
    length = struct.unpack_from("<H", data, vtable)[0]
    slot = 4 + 2 * index
    offset = struct.unpack_from("<H", data, vtable + slot)[0] if slot + 2 <= length else 0
    return table + offset if offset else 0
