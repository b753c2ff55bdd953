"""Writes an ``.aimodel`` whose bytes depend on nothing but the graph, the precision and the labels."""

import json
from pathlib import Path
from typing import Any

from pocketlens.converters.emitter import Labels


def write(program: Any, labels: Labels, precision: str, path: Path) -> None:
    """Write the folder.

    Args:
        program: A ``coreai.authoring.AIProgram``.
        labels: Author, licence and description, which Xcode shows.
        precision: Its name stands among the metadata.
        path: The folder; does not exist yet.
    """
    from coreai.runtime import AIModelAssetMetadata

    metadata = AIModelAssetMetadata()
    metadata.author = labels.author
    metadata.license = labels.license
    metadata.model_description = labels.description or f"{labels.name}: stylizes a picture"
    # Texts only: coreai-core 1.0.0b3 reads the number 1 back as true.
    for key, text in (("filter", labels.name), ("version", labels.version), ("precision", precision)):
        metadata.set_custom(f"pocketlens.{key}", text)
    program.save_asset(path, metadata=metadata)
    _without_date(path / "metadata.json")


def _without_date(file: Path) -> None:
    """Leave out when the file was made, and sort: coreai-core writes the keys in another order each time."""
    document = json.loads(file.read_text())
    document.pop("creationDate", None)
    file.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
