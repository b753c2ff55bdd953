"""What a checkpoint of Pocketlens' own says of itself. Read without torch, from the metadata alone."""

import json
from pathlib import Path
from typing import Any

from pocketlens.errors import require

KEY = "pocketlens"
"""Under which a checkpoint's metadata says how the generator is made."""


def styles_in(path: Path) -> tuple[str, ...]:
    """The names of a pack's styles; empty for every other file. Whether they fit the weights shows when these are loaded."""
    found = _said(path).get("styles", ())
    return tuple(found) if isinstance(found, list) and all(isinstance(one, str) for one in found) else ()


def architecture_in(path: Path) -> str:
    """The architecture that a checkpoint says it is of; empty for every other file."""
    found = _said(path).get("architecture", "")
    return found if isinstance(found, str) else ""


def _said(path: Path) -> dict[str, Any]:
    if path.suffix.lower() != ".safetensors":
        return {}
    require("safetensors", "build")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as archive:
            found = json.loads((archive.metadata() or {}).get(KEY, "{}"))
    except (SafetensorError, OSError, ValueError, AttributeError, RecursionError):
        return {}  # whoever loads it says what is wrong
    return found if isinstance(found, dict) else {}
