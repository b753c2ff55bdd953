"""What a TFLite file says of itself: TensorFlow's model metadata (a flatbuffer inside the flatbuffer, identifier
``M001``).

Android Studio, Netron and the task libraries read it. Its schema is not in ai-edge-litert, and the package that has it
does not install beside a current numpy, so the few tables that are needed are written by field number here. The schema
is ``metadata_schema.fbs`` of tensorflow/tflite-support, version 1.0.0.
"""

from typing import Any

import flatbuffers

from pocketlens.converters.emitter import Labels
from pocketlens.converters.extras import meaning

NAME = "TFLITE_METADATA"
"""The entry of the model's metadata under which readers look for it."""

_IDENTIFIER = b"M001"
_PARSER = "1.0.0"
_IMAGE_PROPERTIES, _RGB, _NORMALIZATION = 2, 1, 1
"""Members of the schema's unions and enums."""


class _Byte(int):
    """A number of 8 bits: an enum or the type of a union."""


_Table = dict[int, Any]
"""Field number to value: text, another table, a list of tables or of floats, or a :class:`_Byte`."""


def pack_metadata(labels: Labels, inputs: list[str], outputs: list[str]) -> bytes:
    """The metadata of an artifact whose tensors have these names, the picture first."""
    image, *others = inputs
    stylized, *beside = outputs
    picture = {3: {0: _Byte(_IMAGE_PROPERTIES), 1: {0: _Byte(_RGB)}}, 5: {0: [255.0], 1: [0.0]}}
    # Mean 0 and deviation 1: pixels go in as they are.
    unchanged = {4: [{0: _Byte(_NORMALIZATION), 1: {0: [0.0], 1: [1.0]}}]}
    model: _Table = {
        0: labels.name,
        1: labels.description,
        2: labels.version,
        3: [
            {
                2: [
                    {0: image, 1: "RGB, 0 to 255", **picture, **unchanged},
                    *({0: name, 1: meaning(name)} for name in others),
                ],
                3: [{0: stylized, 1: "RGB, 0 to 255", **picture}, *({0: name, 1: meaning(name)} for name in beside)],
            }
        ],
        4: labels.author,
        5: labels.license,
        7: _PARSER,
    }
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, model), _IDENTIFIER)
    return bytes(builder.Output())


def _write(builder: Any, table: _Table) -> int:
    # A flatbuffer is written from the leaves: everything that a table points to comes before it.
    pointers = {field: _child(builder, value) for field, value in table.items() if not isinstance(value, _Byte)}
    builder.StartObject(max(table) + 1)
    for field, value in table.items():
        if isinstance(value, _Byte):
            builder.PrependUint8Slot(field, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, pointers[field], 0)
    return int(builder.EndObject())


def _child(builder: Any, value: Any) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, dict):
        return _write(builder, value)
    floats = isinstance(value[0], float)
    entries = value if floats else [_write(builder, entry) for entry in value]
    builder.StartVector(4, len(entries), 4)
    for entry in reversed(entries):
        (builder.PrependFloat32 if floats else builder.PrependUOffsetTRelative)(entry)
    return int(builder.EndVector())
