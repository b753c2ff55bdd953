"""The graph of a source at a size, in every way in which it can be had; in memory, not checked against the source
yet.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pocketlens.errors import InputError
from pocketlens.models.source import Source

if TYPE_CHECKING:
    import onnx_ir as ir


def export_graphs(source: Source, height: int, width: int) -> "Iterator[ir.Model]":
    """Import an ONNX file, or export a module with each exporter that can.

    Raises:
        InputError: The source cannot be exported or imported at this size in any way.
    """
    if source.kind == "onnx":
        from pocketlens.converters.prepare import prepare, read_onnx

        assert source.path is not None
        yield prepare(read_onnx(source.path), height, width, source.ranges)
        return
    if source.kind == "hf":
        from pocketlens.models.huggingface import export as optimum_export

        yield optimum_export(source.load(), height, width, source.ranges)
        return
    from pocketlens.models.export import EXPORTERS, export

    module, refusal, exported = source.load(), None, False
    for exporter in EXPORTERS:
        try:
            graph = export(module, height, width, source.ranges, exporter)
        except InputError as error:
            refusal = refusal or error
        else:
            exported = True
            yield graph
    if refusal is not None and not exported:
        raise refusal
