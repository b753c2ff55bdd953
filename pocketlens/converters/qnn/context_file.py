"""Writes the ``.onnx`` around a compiled binary: where the binary lies, and what the file says of itself."""

from pathlib import Path

from pocketlens.chips import Chip
from pocketlens.converters.emitter import Labels
from pocketlens.converters.qnn.compiler import CompiledContext
from pocketlens.files import copy


def write_context_file(compiled: CompiledContext, path: Path, precision: str, labels: Labels, chip: Chip) -> None:
    """Write ``path`` and the ``.bin`` beside it from what the compiler made."""
    import onnx

    binary = path.with_suffix(".bin")
    model = onnx.load(compiled.wrapper, load_external_data=False)
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "EPContext" and attribute.name == "ep_cache_context":
                attribute.s = binary.name.encode()
    model.producer_name, model.producer_version = "pocketlens", labels.version
    model.doc_string = labels.description
    said = {entry.key: entry.value for entry in model.metadata_props}
    said |= {
        "name": labels.name,
        "license": labels.license,
        "author": labels.author,
        "precision": precision,
        "chip": chip.name,
        "chip_title": chip.title,
        "left_to_cpu": ",".join(sorted({node.op_type for node in model.graph.node} - {"EPContext"})),
    }
    del model.metadata_props[:]
    for key, value in sorted(said.items()):
        model.metadata_props.add(key=key, value=value)
    path.write_bytes(model.SerializeToString(deterministic=True))
    copy(compiled.binary, binary)
