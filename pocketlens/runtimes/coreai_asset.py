"""An ``.aimodel`` folder before the runtime opens it: is it whole, and which entry point takes arrays."""

from pathlib import Path
from typing import Any

from pocketlens.errors import InputError
from pocketlens.files import sha256

PROGRAM, DIGEST, METADATA = "main.mlirb", "main.hash", "metadata.json"
_MAGIC = b"ML\xefR"
MAX_PROGRAM = 1 << 30
"""Largest ``main.mlirb`` that is opened, in bytes; weights are in it."""
MAX_METADATA = 1 << 20
ARRAYS = "tensor"
"""The entry point of Pocketlens's files that takes and gives arrays."""


def damaged(path: Path, what: str) -> InputError:
    """The error for a folder that cannot be what it claims to be."""
    return InputError(f"{path} is not a readable Core AI model: {what}", do="check that it is whole, or build it again")


def check(path: Path) -> None:
    """Refuse a folder that is not whole before native code reads it.

    It has to hold the program, its SHA-256 and the metadata, as regular files, and nothing else: no links that lead out
    of it, and no compiled program that the runtime would take in place of the one that is hashed.

    Raises:
        InputError: Something of that is not so.
    """
    if not path.is_dir():
        raise damaged(path, "it is not a folder")
    found = {entry.name for entry in path.iterdir()}
    for name in (PROGRAM, DIGEST, METADATA):
        if name not in found:
            raise damaged(path, f"{name} is missing")
    for name in sorted(found):
        entry = path / name
        if name not in (PROGRAM, DIGEST, METADATA):
            raise damaged(path, f"it holds {name}, and only {PROGRAM}, {DIGEST} and {METADATA} are known")
        if entry.is_symlink() or not entry.is_file():
            raise damaged(path, f"{name} is not a file of its own")
        limit = MAX_PROGRAM if name == PROGRAM else MAX_METADATA
        if entry.stat().st_size > limit:
            raise damaged(path, f"{name} has {entry.stat().st_size:,} bytes, more than {limit:,}")
    with (path / PROGRAM).open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise damaged(path, f"{PROGRAM} is not a program")
    if (path / DIGEST).read_bytes().hex() != sha256(path / PROGRAM):
        raise damaged(path, f"{PROGRAM} does not have the SHA-256 that {DIGEST} tells")


def array_function(path: Path, summary: Any) -> str:
    """The entry point to play: the one for arrays, or the first whose inputs and outputs all are arrays.

    Raises:
        InputError: There is none, or every one takes or gives pictures, which this machine cannot feed.
    """
    names = sorted(summary.function_names, key=lambda name: name != ARRAYS)
    for name in names:
        kinds = [kind for _, kind in (*summary.function_inputs(name), *summary.function_outputs(name))]
        if all(kind.startswith("NDArray") for kind in kinds):
            return str(name)
    if not names:
        raise damaged(path, f"{PROGRAM} holds no entry point")
    raise InputError(
        f"{path} takes pictures only ({', '.join(names)}), which can be fed on Apple's systems only",
        do="convert it with Pocketlens, whose files also have an entry point for arrays",
    )
