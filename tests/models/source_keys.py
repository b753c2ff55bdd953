"""Keys of sources, each from a process of its own that has never imported the source."""

import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path

from pocketlens.models.source import resolve

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["torch.export", "onnx", "tests.models.source_keys"])
"""What takes seconds to import is imported once, in the process that the others are forked from."""


def keys_of(folders: Sequence[Path]) -> list[str]:
    """The key of ``mine.py:make`` in each folder."""
    with _PROCESSES.Pool(1, maxtasksperchild=1) as pool:
        return pool.map(_key_of, folders, chunksize=1)


def _key_of(folder: Path) -> str:
    sys.dont_write_bytecode = True  # an edit in the same second would be taken for the file before it
    return resolve("mine.py:make", base=folder, size=(16, 24)).key
