"""A limit on protobuf files: their fields are counted in the bytes, before a parser builds an object from each.

A message of two bytes becomes an object of a hundred, so a file within the size limit could still fill the memory. Only
the lengths are read here: the format is a chain of ``key, length, content``
(https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterable
from typing import Protocol

from pocketlens.runtimes.data_files.protobuf import BYTES, FIXED32, FIXED64, VARINT, DamagedError, varint


class Field(Protocol):
    """A field of a message type, as protobuf describes it."""

    number: int
    message_type: "Descriptor | None"


class Descriptor(Protocol):
    """A message type, as protobuf describes it."""

    full_name: str
    fields: Iterable[Field]


def count_fields(data: bytes, kind: Descriptor, limit: int, depth: int = 64) -> int:
    """The number of fields in a message and in the messages inside it.

    Args:
        data: The message.
        kind: Its type; says where messages are inside it.
        limit: Counting stops above this.
        depth: How deep messages may nest.

    Raises:
        DamagedError: The bytes are no protobuf message, or nest deeper.

    Example:
        >>> from onnx import ModelProto, OperatorSetIdProto
        >>> model = ModelProto(ir_version=10, opset_import=[OperatorSetIdProto(version=20)])
        >>> count_fields(model.SerializeToString(), ModelProto.DESCRIPTOR, limit=100)
        3
    """
    messages: dict[str, dict[int, Descriptor]] = {}
    count = 0
    todo = [(0, len(data), kind, depth)]
    while todo and count <= limit:
        at, end, message, left = todo.pop()
        inside = messages.get(message.full_name)
        if inside is None:
            inside = {f.number: f.message_type for f in message.fields if f.message_type is not None}
            messages[message.full_name] = inside
        if left < 0:
            raise DamagedError(f"messages nest more than {depth} deep")
        while at < end and count <= limit:
            key, at = varint(data, at)
            count += 1
            shape = key & 7
            if shape == BYTES:
                length, at = varint(data, at)
                deeper = inside.get(key >> 3)
                if deeper is not None:
                    todo.append((at, min(at + length, end), deeper, left - 1))
                at += length
            elif shape == VARINT:
                _, at = varint(data, at)
            elif shape in (FIXED64, FIXED32):
                at += 8 if shape == FIXED64 else 4
            else:
                raise DamagedError(f"byte {at - 1} is no protobuf field")
            if at > end:
                raise DamagedError(f"it ends within a field, {at - end:,} bytes early")
    return count
