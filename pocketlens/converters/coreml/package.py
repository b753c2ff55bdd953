"""Writes a ``.mlpackage`` whose bytes depend on nothing but the graph, the precision and the labels."""

import hashlib
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels

_FOLDER = "com.apple.CoreML"
_NAMESPACE = uuid.UUID("6f5ba0a4-2a0c-5d0b-9d3b-0f6f7f3a5c11")
"""Chosen once; what is in the package decides its identifiers within it."""
_KEPT_METADATA = ("com.github.apple.coremltools.version",)
"""What coremltools says of itself and is kept; its conversion date is not."""


def label(spec: Any, labels: Labels, precision: str) -> None:
    """Put author, licence, version and descriptions into a Core ML specification, in place."""
    description = spec.description
    metadata = description.metadata
    metadata.shortDescription = labels.description or f"{labels.name}: stylizes a picture"
    metadata.versionString = labels.version
    metadata.author = labels.author
    metadata.license = labels.license
    kept = {key: metadata.userDefined[key] for key in _KEPT_METADATA if key in metadata.userDefined}
    metadata.userDefined.clear()
    for key, value in {**kept, "pocketlens.filter": labels.name, "pocketlens.precision": precision}.items():
        metadata.userDefined[key] = value
    image, stylized = description.input[0], description.output[0]
    for style in description.input[1:]:
        style.shortDescription = "How much of each style is wanted; the sum is 1"
    size = f"{image.type.imageType.width} x {image.type.imageType.height} pixels, RGB"
    image.shortDescription = f"The picture to stylize, {size}"
    stylized.shortDescription = f"The stylized picture, {size}"
    assert (image.name, stylized.name) == (hub.INPUT, hub.OUTPUT)


def write(spec: Any, weights: Path | None, path: Path) -> None:
    """Write the package folder.

    Args:
        spec: The labelled specification.
        weights: The folder that holds ``weight.bin``, or None where no weight is large enough for it.
        path: The package; does not exist yet.
    """
    data = path / "Data" / _FOLDER
    data.mkdir(parents=True)
    model = spec.SerializeToString(deterministic=True)
    (data / "model.mlmodel").write_bytes(model)
    digest = hashlib.sha256(model)
    items = {"model.mlmodel": "CoreML Model Specification"}
    if weights is not None and (source := weights / "weight.bin").is_file():
        (data / "weights").mkdir()
        shutil.copyfile(source, data / "weights" / "weight.bin")
        digest.update(source.read_bytes())
        items["weights"] = "CoreML Model Weights"
    names = {item: str(uuid.uuid5(_NAMESPACE, f"{item} {digest.hexdigest()}")).upper() for item in items}
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            names[item]: {
                "author": _FOLDER,
                "description": what,
                "name": item,
                "path": f"{_FOLDER}/{item}",
            }
            for item, what in items.items()
        },
        "rootModelIdentifier": names["model.mlmodel"],
    }
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")
