"""What a file says of itself."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def test_what_the_file_says_of_itself(read: schema.ModelT) -> None:
    assert read.description == b"wave 1.2: A wave. (license MIT, author somebody)"
    (entry,) = read.metadata
    assert entry.name == b"TFLITE_METADATA"
    packed = bytes(read.buffers[entry.buffer].data)
    assert packed[4:8] == b"M001"
    root = flatbuffers.table.Table(packed, flatbuffers.encode.Get(flatbuffers.packer.uoffset, packed, 0))
    texts = {field: root.String(root.Pos + root.Offset(4 + 2 * field)) for field in (0, 1, 2, 4, 5, 7)}
    assert texts == {0: b"wave", 1: b"A wave.", 2: b"1.2", 4: b"somebody", 5: b"MIT", 7: b"1.0.0"}
