"""The files that an ``.onnx`` file names: external data of tensors, and compiled contexts of NPUs.

Tensors are found wherever ONNX's messages can hold them: initializers, attributes, sparse tensors, subgraphs,
functions and training information.
"""

import mmap
from pathlib import Path

from pocketlens.errors import InputError
from pocketlens.runtimes.data_files.head import Head
from pocketlens.runtimes.data_files.protobuf import BYTES, VARINT, Buffer, DamagedError, fields

MAX_FIELDS = 2_000_000
"""Most fields that are looked at: what takes more is no filter, and would take minutes."""
MAX_DEPTH = 64

_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""By message and field number, the message inside it (onnx.proto); what no tensor can be in is left out."""
_IR_VERSION, _GRAPH = 1, 7
_DATA_LOCATION = 14
_IN_MEMORY = "*"
"""Of a name such as ``*/_ORT_MEM_ADDR_/*``, with an address as the offset: runtimes hand tensors to each other so."""
_CONTEXT = b"EPContext"
"""The operator that loads a compiled context, from a file unless it is embedded (onnxruntime's EPContext design)."""


def names(path: Path) -> list[str]:
    """The files that a model keeps values in, as it names them.

    Raises:
        InputError: It is no ONNX model, or is damaged.
    """
    do = "check that the file is whole"
    if Head.read(path).is_xml:
        # OpenVINO looks at the content, not at the name: it would read an IR, and a .bin that nobody hashed.
        raise InputError(f"{path} is not an ONNX model: it begins as XML", do=do)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _names(data)
    except ValueError as error:  # DamagedError, and mmap's own for an empty file
        raise InputError(f"{path} is not a readable ONNX model: {error}", do=do) from error


def _names(data: Buffer) -> list[str]:
    found: list[str] = []
    kinds, count = set(), 0
    todo = [("model", 0, len(data), 0)]
    while todo:
        message, at, end, depth = todo.pop()
        inside = _INSIDE[message]
        external, locations = False, list[str]()
        for number, shape, start, stop in fields(data, at, end):
            count += 1
            if count > MAX_FIELDS:
                raise DamagedError(f"it has more than {MAX_FIELDS:,} fields")
            if message == "model":
                kinds.add((number, shape))
            elif message == "tensor" and (number, shape) == (_DATA_LOCATION, VARINT):
                external |= bool(stop)
            elif message == "node" and (number, shape) == (4, BYTES) and data[start:stop] == _CONTEXT:
                found += _context(data, at, end)
            if shape != BYTES or number not in inside:
                continue
            if inside[number] == "entry":
                external = True
                locations += _locations(data, start, stop)
            else:
                todo.append((inside[number], start, stop, depth + 1))
        if external:
            found += locations or [""]
        if depth > MAX_DEPTH:
            raise DamagedError(f"messages nest more than {MAX_DEPTH} deep")
    # Other formats are chains of fields too, of other meanings: OpenVINO tries them all.
    if (_IR_VERSION, VARINT) not in kinds or (_GRAPH, BYTES) not in kinds or (_IR_VERSION, BYTES) in kinds:
        raise DamagedError("it has no IR version or no graph")
    return found


def _text(data: Buffer, start: int, stop: int) -> str:
    return data[start:stop].decode(errors="backslashreplace")


def _locations(data: Buffer, at: int, end: int) -> list[str]:
    """The file's name, if this entry of a tensor's external data has it; which of two counts, runtimes disagree on."""
    texts = {number: _text(data, start, stop) for number, shape, start, stop in fields(data, at, end) if shape == BYTES}
    if texts.get(1) != "location":
        return []
    if _IN_MEMORY in (name := texts.get(2, "")):
        raise DamagedError(f"a tensor's values lie in memory, not in a file: {name[:80]!r}")
    return [name]


def _context(data: Buffer, at: int, end: int) -> list[str]:
    """The file of a node's compiled context; none if the node itself holds it."""
    embedded, name = True, ""
    for number, shape, start, stop in fields(data, at, end):
        if (number, shape) != (5, BYTES):
            continue
        attribute = {n: (kind, first, last) for n, kind, first, last in fields(data, start, stop)}
        key = _text(data, *attribute[1][1:]) if attribute.get(1, (0,))[0] == BYTES else ""
        if key == "embed_mode":
            embedded = attribute.get(3, (VARINT, 0, 1))[2] == 1
        elif key == "ep_cache_context" and attribute.get(4, (0,))[0] == BYTES:
            name = _text(data, *attribute[4][1:])
    return [] if embedded else [name]
