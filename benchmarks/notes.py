"""What a benchmark knows of a file, kept beside it, so that a run that is stopped goes on."""

import json
from pathlib import Path
from typing import Any

from pocketlens.files import artifact_files, sha256


def read(note: Path) -> dict[str, Any]:
    """What is known; empty if nothing is."""
    found: dict[str, Any] = json.loads(note.read_text()) if note.exists() else {}
    return found


def keep(note: Path, **facts: object) -> None:
    """Write down more of it."""
    note.write_text(json.dumps({**read(note), **facts}))


def digest(artifact: Path) -> str:
    """Of an artifact's files: what its times belong to."""
    return " ".join(sha256(file) for file in artifact_files(artifact))
