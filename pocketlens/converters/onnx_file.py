"""Reading a user's ``.onnx`` file without trusting it.

Nothing in the file is believed before it was compared with the bytes that are there: how many parts it has, how large
its tensors are, which files beside it hold their values, how far its functions unfold. Other code sees the model after
that.
"""

import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import onnx_ir as ir

from pocketlens.converters.mend_file import MENDED, mend
from pocketlens.converters.protobuf_limits import count_fields
from pocketlens.errors import InputError
from pocketlens.runtimes.quiet import STDOUT, quiet

MAX_BYTES = 2_000_000_000
"""Largest model that is read, in bytes, external data included (the limit of the format itself)."""
MAX_FIELDS = 500_000
"""Most protobuf fields; real generators have some ten thousand."""
MAX_NODES = 8_000
"""Most nodes, those in subgraphs and functions included, the latter as often as they are called."""
MAX_READS = 5 * MAX_NODES
"""Most inputs of all nodes together; real graphs have two a node."""
MAX_NAME = 4_096
"""Longest name of a node, a value or anything else, in characters."""
MAX_NUMBER = 1 << 24
"""Largest whole number as an attribute, where it counts something: a kernel, a stride, a padding, a block."""
_ANY_NUMBER = ("Constant", "Slice")
"""Operators whose attributes are values or places, which may be anything: Slice ends at 2⁶³ - 1 for "the end"."""
MAX_EQUATION = 200
"""Longest equation of an Einsum, in characters: ONNX's inference takes a time that grows with its square and more."""
MAX_NESTING = 4
"""Deepest nesting of subgraphs."""


def read_onnx(path: Path) -> ir.Model:
    """Read a user's ``.onnx`` file, with the external data beside it.

    What is damaged and can only be meant one way is mended (:mod:`~pocketlens.converters.mend_file`); the model's
    ``meta`` says so.

    Raises:
        InputError: The file is absent, empty, damaged or too large, claims more than it holds, or points out of its
            folder.
    """
    try:
        proto = _parse(path)
        _count_nodes(proto, path)
        _check_nodes(proto, path)
        _drop_texts(proto)
        room = MAX_BYTES
        for tensor in _tensors(proto):
            room -= _check_tensor(tensor, path)
            if room < 0:
                raise InputError(f"the weights of {path} are more than {MAX_BYTES:,} bytes", do="give a smaller model")
        mended = mend(proto)
        _check(proto)
        model: ir.Model = ir.from_proto(proto)
        if mended:
            model.meta[MENDED] = mended
        return model
    except InputError:
        raise
    # The protobuf parser, the checker and the deserializer have no common base and a damaged file reaches them all.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is not a readable ONNX model: {first}", do="check that the file is whole") from error


def has_half_ends(path: Path) -> bool:
    """Whether a model that :func:`read_onnx` has read takes or gives pictures in half precision, of either kind."""
    from onnx import TensorProto

    graph = _parse(path).graph
    return any(
        v.type.tensor_type.elem_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16)
        for v in (*graph.input, *graph.output)
    )


def data_files(path: Path) -> list[Path]:
    """The files beside a model that hold its values, sorted; those that cannot be read are for :func:`read_onnx` to
    refuse.
    """
    try:
        proto = _parse(path)
        named = {e.value for tensor in _tensors(proto) for e in tensor.external_data if e.key == "location"}
        return sorted(_external_file(path.parent, location, f"a tensor of {path}") for location in named)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file is said by the one who reads it
        return []


def _parse(path: Path) -> Any:
    import onnx

    if not path.exists():
        raise InputError(f"{path} does not exist", do="check the path")
    if not path.is_file():
        raise InputError(f"{path} is not a file", do="give the .onnx file itself")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} is {path.stat().st_size:,} bytes, more than {MAX_BYTES:,}", do="give a smaller model")
    data = path.read_bytes()
    if count_fields(data, onnx.ModelProto.DESCRIPTOR, MAX_FIELDS) > MAX_FIELDS:
        raise InputError(f"{path} has more than {MAX_FIELDS:,} fields", do="give a generator: it has a few thousand")
    proto = onnx.ModelProto()
    proto.ParseFromString(data)
    return proto


def _check(proto: Any) -> None:
    """Run ONNX's checker, without the group norms of opset 18 to 20: it refuses them because there are newer ones."""
    import onnx

    old = [node for node in proto.graph.node if node.op_type == "GroupNormalization" and not node.domain]
    aside = "deprecated"
    if any(opset.domain == aside for opset in proto.opset_import):
        old = []
    for node in old:
        node.domain = aside  # what is of another domain is not looked up
    if old:
        proto.opset_import.append(onnx.OperatorSetIdProto(domain=aside, version=1))
    with quiet(STDOUT):  # it prints there that an old file has experimental operators, where --json has its document
        onnx.checker.check_model(proto)
    for node in old:
        node.domain = ""
    if old:
        del proto.opset_import[-1]


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _count_nodes(proto: Any, path: Path) -> None:
    """Refuse more nodes than :data:`MAX_NODES` once every function call is replaced by the function's nodes."""
    functions = {(f.domain, f.name): f for f in proto.functions}
    weights: dict[tuple[str, str], int] = {}
    open_calls: set[tuple[str, str]] = set()

    def weigh(nodes: Any, depth: int) -> int:
        if depth > MAX_NESTING:
            raise InputError(f"subgraphs of {path} nest more than {MAX_NESTING} deep", do="export without control flow")
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            total += 1 + (call(key) if key in functions else 0)
            total += sum(weigh(graph.node, depth + 1) for graph in _subgraphs(node))
        return total

    def call(key: tuple[str, str]) -> int:
        if key not in weights:
            # Functions that call others nest as deep as the file says; Python's own stack must not decide how deep that
            # is.
            if key in open_calls or len(open_calls) >= 50:
                raise InputError(f"functions of {path} call each other without end", do="export without functions")
            open_calls.add(key)
            weights[key] = weigh(functions[key].node, 0)
            open_calls.discard(key)
        return weights[key]

    count = weigh(proto.graph.node, 0) + sum(call(key) for key in functions)
    if count > MAX_NODES:
        raise InputError(f"{path} has {count:,} nodes, more than {MAX_NODES:,}", do="export the generator alone")


def _check_nodes(proto: Any, path: Path) -> None:
    """Refuse what makes ONNX's own code count, name or allocate without end, before that code sees it."""
    reads = 0
    _check_names(path, proto.producer_name, proto.producer_version, proto.domain)
    for owner in _graphs(proto):
        if getattr(owner, "sparse_initializer", ()):
            raise InputError(f"{path} keeps weights in sparse form", do="save them as dense tensors")
        _check_names(path, owner.name, *(tensor.name for tensor in getattr(owner, "initializer", ())))
        for node in owner.node:
            where = f"{node.op_type[:40]} {node.name[:80]!r} of {path}"
            _check_names(path, node.op_type, node.domain, node.name, *node.input, *node.output)
            reads += len(node.input) + len(node.output)
            if reads > MAX_READS:
                raise InputError(f"the nodes of {path} have more than {MAX_READS:,} inputs and outputs", do=_ALONE)
            for attribute in node.attribute:
                _check_names(path, attribute.name)
                if attribute.name == "equation" and len(attribute.s) > MAX_EQUATION:
                    raise InputError(f"{where} has an equation of {len(attribute.s):,} characters", do=_WHOLE)
                numbers = (attribute.i, *attribute.ints)
                if node.op_type not in _ANY_NUMBER and not node.domain and any(abs(n) > MAX_NUMBER for n in numbers):
                    raise InputError(
                        f"{where} has {attribute.name} {max(numbers, key=abs)}, more than {MAX_NUMBER:,}", do=_ALONE
                    )
                if (node.op_type, attribute.name) == ("Split", "num_outputs") and attribute.i > len(node.output):
                    raise InputError(f"{where} has {len(node.output)} outputs and num_outputs {attribute.i}", do=_WHOLE)


_ALONE, _WHOLE = "export the generator alone", "check that the file is whole"


def _check_names(path: Path, *names: str) -> None:
    for name in names:
        if len(name) > MAX_NAME:
            raise InputError(f"{path} has a name of {len(name):,} characters, at most {MAX_NAME:,}", do=_WHOLE)


def _drop_texts(proto: Any) -> None:
    """Take out what nobody reads, however long it is: notes of the exporter, and how the model was trained."""
    for field in ("metadata_props", "training_info", "doc_string"):
        proto.ClearField(field)
    for owner in _graphs(proto):
        for part in (owner, *owner.node, *owner.value_info, *getattr(owner, "initializer", ())):
            part.ClearField("doc_string")
            part.ClearField("metadata_props")


def _graphs(proto: Any) -> Iterator[Any]:
    """The graph, the functions, and the graphs inside their nodes."""
    todo = [proto.graph, *proto.functions]
    while todo:
        owner = todo.pop()
        yield owner
        for node in owner.node:
            todo.extend(_subgraphs(node))


def _tensors(proto: Any) -> Iterator[Any]:
    """Every tensor of the model, wherever it is."""
    for owner in _graphs(proto):
        yield from getattr(owner, "initializer", ())
        for sparse in getattr(owner, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in owner.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                if attribute.HasField("sparse_tensor"):
                    yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
                yield from attribute.tensors


def _check_tensor(tensor: Any, path: Path) -> int:
    """Check that a tensor has as many values as its shape says, and read those in other files; its bytes."""
    from onnx import TensorProto

    where = f"the tensor {tensor.name!r} of {path}"
    elements = math.prod(int(length) for length in tensor.dims)
    if any(length < 0 for length in tensor.dims):
        raise InputError(f"{where} has the shape {list(tensor.dims)}", do="check that the file is whole")
    if tensor.data_type == TensorProto.STRING:
        stored_bytes, expected_bytes = len(tensor.string_data), elements
    else:
        expected_bytes = _bytes(elements, ir.DataType(tensor.data_type))
        if tensor.data_location == TensorProto.EXTERNAL:
            _read_external_data(tensor, expected_bytes, path, where)
        stored_bytes = len(tensor.raw_data) if tensor.HasField("raw_data") else _listed(tensor, expected_bytes)
    if stored_bytes != expected_bytes:
        raise InputError(
            f"{where} has the shape {list(tensor.dims)}: {expected_bytes:,} bytes expected, {stored_bytes:,} found",
            do="check that the file is whole",
        )
    return int(expected_bytes)


def _bytes(elements: int, kind: ir.DataType) -> int:
    return (elements * kind.bitwidth + 7) // 8


def _listed(tensor: Any, expected: int) -> int:
    """The bytes of values that are listed one by one; ``expected`` for packed types, which ONNX's checker checks."""
    from onnx import TensorProto

    doubled = 2 if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128) else 1
    lists = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    count = max(len(values) for values in lists) // doubled
    kind = ir.DataType(tensor.data_type)
    return expected if kind.bitwidth < 8 and count * 8 >= expected else _bytes(count, kind)


def _read_external_data(tensor: Any, expected: int, path: Path, where: str) -> None:
    """Put the values of a tensor that lie in another file into the tensor."""
    from onnx import TensorProto

    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    offset, length = (
        _whole_number(entries.get(key, default), where) for key, default in (("offset", "0"), ("length", ""))
    )
    if length not in (None, expected):
        raise InputError(
            f"{where} has the shape {list(tensor.dims)}: {expected:,} bytes expected, {length:,} given",
            do="check that the file is whole",
        )
    source = _external_file(path.parent, location, where)
    size = source.stat().st_size
    if (offset or 0) + expected > size:
        raise InputError(
            f"{where} reads {expected:,} bytes from byte {offset:,} of {source}, which has {size:,}",
            do="check that both files are whole",
        )
    if expected > MAX_BYTES:
        raise InputError(f"{where} is {expected:,} bytes, more than {MAX_BYTES:,}", do="give a smaller model")
    # Not followed even if it became a link after it was checked.
    with os.fdopen(os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        file.seek(offset or 0)
        tensor.raw_data = file.read(expected)
    del tensor.external_data[:]
    tensor.data_location = TensorProto.DEFAULT


def _whole_number(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InputError(f"{where} has {text[:40]!r} as place in its data file", do="check that the file is whole")
    return int(text)


def _external_file(folder: Path, location: str, where: str) -> Path:
    """The file that external data names: in the model's own folder or below it, reached through no link."""
    parts = PurePosixPath(location).parts
    windows = PureWindowsPath(location)
    if not parts or ".." in parts or PurePosixPath(location).is_absolute() or windows.drive or "\\" in location:
        raise InputError(
            f"{where} keeps its values in {location!r}, which is not inside the model's own folder",
            do="put the data file beside the model",
        )
    path = folder
    for part in parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError) as error:
            raise InputError(
                f"{where} keeps its values in {location!r}, which is not there", do="put the data file beside the model"
            ) from error
        if stat.S_ISLNK(mode):
            raise InputError(f"{where} keeps its values behind the link {path}", do="put the file itself there")
    if not stat.S_ISREG(mode):
        raise InputError(f"{where} keeps its values in {path}, which is not a file", do="put the data file there")
    return path
