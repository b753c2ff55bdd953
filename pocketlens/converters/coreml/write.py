"""Writes a ``.mlpackage`` whose bytes depend on nothing but the graph, the precision and the labels."""

import hashlib
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

_FOLDER = "com.apple.CoreML"
_NAMESPACE = uuid.UUID("6f5ba0a4-2a0c-5d0b-9d3b-0f6f7f3a5c11")
"""Chosen once; what is in the package decides its identifiers within it."""


def write(spec: Any, weights: Path | None, path: Path) -> None:
    """Write the package folder.

    Args:
        spec: The specification, with its metadata.
        weights: The folder that holds ``weight.bin``, or None where no weight is large enough for it.
        path: The package; does not exist yet.
    """
    data = path / "Data" / _FOLDER
    data.mkdir(parents=True)
    model = spec.SerializeToString(deterministic=True)
    (data / "model.mlmodel").write_bytes(model)
    digest = hashlib.sha256(model)
    descriptions = {"model.mlmodel": "CoreML Model Specification"}
    if weights is not None and (source := weights / "weight.bin").is_file():
        (data / "weights").mkdir()
        shutil.copyfile(source, data / "weights" / "weight.bin")
        digest.update(source.read_bytes())
        descriptions["weights"] = "CoreML Model Weights"
    identifiers = {item: str(uuid.uuid5(_NAMESPACE, f"{item} {digest.hexdigest()}")).upper() for item in descriptions}
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            identifiers[item]: {
                "author": _FOLDER,
                "description": description,
                "name": item,
                "path": f"{_FOLDER}/{item}",
            }
            for item, description in descriptions.items()
        },
        "rootModelIdentifier": identifiers["model.mlmodel"],
    }
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")
