"""Writes ``manifest.schema.json`` from the manifest's dataclasses: ``python -m pocketlens.bundle.schema``."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pocketlens.bundle import manifest
from pocketlens.files import write

PATH = Path(__file__).with_name("manifest.schema.json")
_FIELD = re.compile(r"^    (\w+): (.+(?:\n {8,}.+)*)", re.MULTILINE)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of manifest.json, with the dataclasses' own docstrings as descriptions."""
    definition = TypeAdapter(manifest.Manifest).json_schema()
    for part in (definition, *definition["$defs"].values()):
        _describe(part)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"schema version {manifest.SCHEMA}; made by python -m pocketlens.bundle.schema",
        **definition,
    }


def _describe(part: dict[str, Any]) -> None:
    """Move the Attributes section of a docstring into the descriptions of the properties."""
    summary, _, attributes = part.get("description", "").partition("\nAttributes:\n")
    part["description"] = summary.strip()
    for name, text in _FIELD.findall(attributes):
        if name in part["properties"]:
            part["properties"][name]["description"] = " ".join(text.split())


def text() -> str:
    """The schema's file as it must be."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write(PATH, text())
