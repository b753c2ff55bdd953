"""Entries of the cache as bytes: what a task on another machine needs and gives."""

import io
import json
import tarfile
from pathlib import Path

from pocketlens import files

TRAINING = "training"
"""The kind of a training that is not at its end; unlike all others such an entry changes."""
_STATE = "training.safetensors"


def pack(entry: str) -> bytes | None:
    """An entry, relative to the cache's folder, as a tar file; the same entry gives the same bytes. None if absent."""
    folder = files.cache_folder() / entry
    names = [folder / _STATE] if entry.startswith(f"{TRAINING}/") else files.files_under(folder)
    present = [path for path in names if path.is_file()]
    if not present:
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in present:
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
    return buffer.getvalue()


def unpack(entry: str, data: bytes) -> None:
    """Put an entry into this cache, unless it is there; a training only if it came further than the one that is there.

    Raises:
        InputError: The cache cannot be written to.
        tarfile.FilterError: The bytes would write somewhere else.
    """
    folder, kind = files.cache_folder() / entry, entry.split("/", maxsplit=1)[0]
    if kind != TRAINING and files.lookup(kind, entry.split("/")[1]) is not None:
        return
    with files.whole(folder) as part:
        part.mkdir()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(part, filter="data")
        if kind == TRAINING and _steps(folder / _STATE) >= _steps(part / _STATE):
            files.remove(part)
            files.copy(folder, part)


def _steps(path: Path) -> int:
    """How many steps a saved training has done; -1 where there is none that can be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as archive:
            return int(json.loads((archive.metadata() or {})["facts"])["step"])
    except (SafetensorError, OSError, KeyError, ValueError):
        return -1
