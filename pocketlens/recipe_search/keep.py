"""What is kept of a trial: its document, measurements, pictures, student and recipe, in a folder of its own."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from pocketlens import files
from pocketlens.bench.document import Document
from pocketlens.bench.multi_device import file_name
from pocketlens.errors import InputError
from pocketlens.recipe_search.space import Candidate
from pocketlens.recipe_search.tasks import Job, MadeFile, Trained

PICTURES = ("photograph.png", "teacher.png", "worst.png")
"""The judge picture with the worst SSIM: as it was taken, as the teacher draws it, and as the trial's file does."""
_SCHEMA = "1.0"


def trial_folder(output: Path, number: int) -> Path:
    """The folder of a trial."""
    return output / "trials" / f"{number:04d}"


def keep_trial(
    output: Path, number: int, candidate: Candidate, job: Job, trained: Trained, made: MadeFile,
    documents: Mapping[str, Document], figures: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write the folder of a trial, whole or not at all; one that a killed search wrote is replaced."""
    student = files.lookup(*trained.entry.split("/"))
    if student is None:
        raise InputError(f"the student of trial {number} is not in the cache any more", do="run the search again")
    with files.whole(trial_folder(output, number)) as folder:
        folder.mkdir()
        for name in ("student.safetensors", "student.json"):
            files.copy(student / name, folder / name)
        for name in PICTURES:
            files.copy(made.folder / name, folder / name)
        (folder / "recipe.toml").write_text(job.recipe.text())
        for device, document in documents.items():
            (folder / f"measurement-{file_name(device)}.json").write_text(document.to_json())
        about = {
            "schema": _SCHEMA, "trial": number, "candidate": candidate.to_json(), "text": candidate.text,
            "artifact": made.id, "bytes": made.bytes, "scores": made.scores, "worst_picture": made.worst,
            "flicker": made.flicker, "history": trained.history, **figures,
        }  # fmt: skip
        (folder / "trial.json").write_text(json.dumps(about, indent=2, default=_plain) + "\n")


def read_trial(output: Path, number: int) -> dict[str, Any]:
    """The document of a trial.

    Raises:
        InputError: There is none.
    """
    path = trial_folder(output, number) / "trial.json"
    try:
        document: dict[str, Any] = json.loads(files.regular(path).read_text())
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}", do="search again in another output folder") from error
    return document


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is not JSON data")
