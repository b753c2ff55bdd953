"""The facts that a benchmark knows of a file, in a note beside it: a run that was stopped continues from there."""

import json
from pathlib import Path
from typing import Any

from pocketlens.files import artifact_files, sha256


def read(note: Path) -> dict[str, Any]:
    """The facts; empty if there are none yet."""
    facts: dict[str, Any] = json.loads(note.read_text()) if note.exists() else {}
    return facts


def keep(note: Path, **facts: object) -> None:
    """Add facts to the note."""
    note.write_text(json.dumps({**read(note), **facts}))


def digest(artifact: Path) -> str:
    """The digest of an artifact's files. Times are valid for one digest."""
    return " ".join(sha256(file) for file in artifact_files(artifact))
