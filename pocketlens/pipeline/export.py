"""The graph of a source at a size, in every way in which it can be had; in memory, not checked against the source
yet.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.errors import InputError, PocketlensError, SizeError
from pocketlens.files import cached
from pocketlens.models.source import Source
from pocketlens.pipeline.stage_key import stage_key

if TYPE_CHECKING:
    import onnx_ir as ir

    from pocketlens.converters.extras import Extras

MULTIPLES = (2, 4, 8, 16, 32, 64)
"""What height and width are tried as multiples of, where a generator does not fit a size."""


def export_graphs(source: Source, height: int, width: int) -> "Iterator[ir.Model]":
    """Import an ONNX file, or export a module with each exporter that can.

    Raises:
        InputError: The source cannot be exported or imported at this size in any way; where another size would do,
            says which.
    """
    try:
        yield from _export(source, height, width)
    except SizeError as error:
        raise with_fitting_size(error, source, height, width) from error


def with_fitting_size(error: SizeError, source: Source, height: int, width: int) -> InputError:
    """The same error with a size that does fit, if one is found by trying."""
    near = _fitting_size(source, height, width)
    if near is None:
        return error
    multiple, (rows, columns) = near
    what = f"{source.name} does not fit {height} x {width}: {error.what}"
    return InputError(what, do=f"use {rows} x {columns}: it fits multiples of {multiple}")


def _fitting_size(source: Source, height: int, width: int) -> tuple[int, tuple[int, int]] | None:
    """The smallest multiple that fits, and the size next to the one asked for."""
    for multiple in MULTIPLES:
        rows, columns = (max(multiple, round(edge / multiple) * multiple) for edge in (height, width))
        if (rows, columns) == (height, width):
            continue
        try:
            next(_export(source, rows, columns))
        except PocketlensError:
            continue
        return multiple, (rows, columns)
    return None


def _export(source: Source, height: int, width: int) -> "Iterator[ir.Model]":
    """Import an ONNX file, or export a module with each exporter that can.

    Raises:
        InputError: The source cannot be exported or imported at this size in any way.
    """
    if source.guided > 1:
        from pocketlens.converters.guided import guided_graph

        small = _export(source.generator, height // source.guided, width // source.guided)
        yield from (guided_graph(graph, source.guided, source.strokes) for graph in small)
        return
    if source.kind == "onnx":
        yield from _imported(source, height, width)
        return
    if source.kind == "hf":
        from pocketlens.models.huggingface import export as optimum_export

        yield optimum_export(source.load(), height, width, source.ranges)
        return
    from pocketlens.models.decisions import find_decision
    from pocketlens.models.export import EXPORTERS, example_of, export

    module, refusal, exported = source.load(), None, False
    for exporter in EXPORTERS:
        try:
            graph = export(module, height, width, source.ranges, exporter)
        except InputError as error:
            refusal = refusal or error
        else:
            exported = True
            yield graph
    # Whoever comes here has no graph that is right.
    if place := find_decision(module, example_of(module, height, width)):
        raise InputError(
            f"{source.name} decides by what is in the picture, which a graph cannot: {place}",
            do="give a loop a fixed number of steps, and write a choice as torch.where",
        )
    if refusal is not None and not exported:
        raise refusal


def notes(source: Source) -> tuple[str, ...]:
    """What was mended in the file of an ONNX source, for the user to know; of others nothing."""
    return tuple(f"{source.name}: {note}" for note in _bound(source)[1]) if source.kind == "onnx" else ()


def onnx_file(source: Source) -> Path:
    """The file of an ONNX source, or where more goes in or out than one picture, a file of it that is bound to one.

    Raises:
        InputError: It is not clear what the picture is, or the source's signature does not fit the file.
    """
    return _bound(source)[0]


def _bound(source: Source) -> tuple[Path, tuple[str, ...]]:
    assert source.path is not None
    given = source.path

    def make(folder: Path) -> None:
        import onnx_ir as ir

        from pocketlens.converters.bind import bind
        from pocketlens.converters.mend_file import MENDED
        from pocketlens.converters.onnx_file import read_onnx

        model = read_onnx(given)
        mended = model.meta.get(MENDED, [])
        if bind(model, source.signature) or mended:
            ir.save(model, folder / "bound.onnx")
        (folder / "notes.json").write_text(json.dumps(mended))

    folder = cached("bound", stage_key(source=source.key), make)
    bound = folder / "bound.onnx"
    return (bound if bound.exists() else given), tuple(json.loads((folder / "notes.json").read_text()))


def _imported(source: Source, height: int, width: int) -> "Iterator[ir.Model]":
    """The file's graph; of a file of fixed batch first with a batch of one, which computes less where that is right."""
    from pocketlens.converters.bind import one_of_batch
    from pocketlens.converters.prepare import prepare, read_onnx

    path = onnx_file(source)
    extras = _extras(path, source, height, width)
    single = one_of_batch(read_onnx(path))
    if single is not None:
        try:
            graph = prepare(single, height, width, source.ranges)
        except InputError:
            pass
        else:
            yield graph
    yield prepare(read_onnx(path), height, width, source.ranges, extras=extras)


def _extras(path: Path, source: Source, height: int, width: int) -> "Extras":
    from pocketlens.converters.extras import Extras

    signature = source.signature
    if not (signature.states or signature.second or signature.alpha):
        return Extras()
    from pocketlens.converters.onnx_beside import OnnxBeside
    from pocketlens.models.teacher import load_onnx

    return OnnxBeside(load_onnx(path), signature, source.ranges).extras((height, width))
