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

MULTIPLES = (2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64)
"""What height and width are tried as multiples of, where a generator does not fit a size."""


def export_graphs(source: Source, height: int, width: int) -> "Iterator[ir.Model]":
    """Import an ONNX or TFLite file, or export a module with each exporter that can.

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
        return SizeError(error.what, do=f"{error.do}; if it was made for one size, give that one as --size")
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
    """Import an ONNX or TFLite file, or export a module with each exporter that can.

    Raises:
        InputError: The source cannot be exported or imported at this size in any way.
    """
    if source.guided > 1:
        from pocketlens.converters.guided import guided_graph

        small = _export(source.generator, height // source.guided, width // source.guided)
        yield from (guided_graph(graph, source.guided, source.strokes) for graph in small)
        return
    if source.is_foreign:
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
    """What was mended in the file of a foreign source, for the user to know; of others nothing."""
    if not source.is_foreign:
        return ()
    notes = json.loads((_bound(source) / _NOTES).read_text())
    return tuple(f"{source.name}: {note}" for note in notes)


def onnx_file(source: Source) -> Path:
    """The ONNX file of a foreign source, or where more goes in or out than one picture, one of it that is bound to one.

    Raises:
        InputError: It is not clear what the picture is, or the source's signature does not fit the file.
    """
    assert source.path is not None
    bound = _bound(source) / _BOUND
    return bound if bound.exists() else source.path


def tflite_files(source: Source) -> tuple[Path, Path]:
    """The file of a TFLite source as it is played, and its shell (:mod:`pocketlens.models.tflite_session`).

    Raises:
        InputError: As :func:`onnx_file`.
    """
    assert source.path is not None
    played = _bound(source) / _PLAYED
    return played if played.exists() else source.path, _bound(source) / _SHELL


_BOUND, _SHELL, _PLAYED, _NOTES = "bound.onnx", "shell.onnx", "played.tflite", "notes.json"


def _bound(source: Source) -> Path:
    """The folder of what a foreign source becomes before it has a size."""
    assert source.path is not None
    given = source.path

    def make(folder: Path) -> None:
        import onnx_ir as ir

        from pocketlens.converters.bind import bind
        from pocketlens.converters.mend_file import MENDED
        from pocketlens.converters.onnx_file import read_onnx

        model = _read_tflite(given, source, folder) if source.kind == "tflite" else read_onnx(given)
        mended = model.meta.get(MENDED, [])
        if bind(model, source.signature) or mended or source.kind == "tflite":
            ir.save(model, folder / _BOUND)
        (folder / _NOTES).write_text(json.dumps(mended))

    return cached("bound", stage_key(source=source.key), make)


def _read_tflite(path: Path, source: Source, folder: Path) -> "ir.Model":
    """The ONNX model of a TFLite file; what plays the file itself is put into the folder."""
    import onnx_ir as ir

    from pocketlens.converters import tflite_source
    from pocketlens.converters.bind import bind
    from pocketlens.converters.tflite_source.flatbuffer import read_file
    from pocketlens.converters.tflite_source.hybrid import widened

    file = read_file(path)
    model = tflite_source.import_file(file)
    shell = tflite_source.shell_of(model)
    bind(shell, source.signature)
    ir.save(shell, folder / _SHELL)
    played = widened(file)
    if played is not None:
        (folder / _PLAYED).write_bytes(played)
    return model


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
