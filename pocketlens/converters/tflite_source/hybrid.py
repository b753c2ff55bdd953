"""Layers of int8 weights that read floats: *dynamic range* quantization.

LiteRT chooses how it computes them: its CPU kernels round what such a layer reads to 8 bits, in steps that they find
for each picture, and GPUs compute in floats. The file says floats, and so does the graph of it. What the graph is
compared with is the same file with these weights as floats, played by LiteRT too (decision 31).
"""

import struct
from typing import Any

import numpy as np

from pocketlens.converters.tflite_source.flatbuffer import Operator, TFLiteFile

_WEIGHTS = {
    "CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "FULLY_CONNECTED": (0, 1), "BATCH_MATMUL": (0, 1),
    "TRANSPOSE_CONV": (2, 1),
}  # fmt: skip
"""Where an operator has what it reads, and its weights."""
_TYPE, _DATA, _ALIGNMENT = 6, 4, 16
_FLOAT32 = 0


def hybrid_weights(file: TFLiteFile) -> list[int]:
    """The places of the weights of such layers."""
    return sorted({place for operator in file.operators for place in _hybrid(file, operator)})


def _hybrid(file: TFLiteFile, operator: Operator) -> list[int]:
    places = _WEIGHTS.get(operator.code, ())
    if not places or len(operator.inputs) <= max(places) or min(operator.inputs[place] for place in places) < 0:
        return []
    read, weights = (file.tensors[operator.inputs[place]] for place in places)
    is_stored = weights.data is not None and weights.quantization is not None
    return [operator.inputs[places[1]]] if is_stored and read.dtype == "float32" else []


def widened(file: TFLiteFile) -> bytes | None:
    """The file with floats as the weights of its hybrid layers; None where it has none.

    The floats are put behind the file, and the offsets of the buffers led there: nothing else of it changes.
    """
    from pocketlens.converters.tflite_source.importer import decode

    places = hybrid_weights(file)
    if not places:
        return None
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray(file.path.read_bytes())
    model = schema.Model.GetRootAs(bytes(data), 0)
    moved: dict[int, int] = {}
    for place in places:
        tensor = file.tensors[place]
        _patch(data, model.Subgraphs(0).Tensors(place)._tab, _TYPE, "<b", _FLOAT32)
        if tensor.buffer in moved:
            continue
        data += bytes(-(len(data) + 4) % _ALIGNMENT)
        moved[tensor.buffer] = len(data)
        values = decode(tensor).astype(np.float32).tobytes()
        data += struct.pack("<I", len(values)) + values
        table = model.Buffers(tensor.buffer)._tab
        at = table.Pos + table.Offset(_DATA)
        _patch(data, table, _DATA, "<I", moved[tensor.buffer] - at)
    return bytes(data)


def _patch(data: bytearray, table: Any, field: int, form: str, number: int) -> None:
    """Write over a number of a table that has this field."""
    struct.pack_into(form, data, table.Pos + table.Offset(field), number)
