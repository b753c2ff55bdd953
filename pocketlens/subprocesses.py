"""Python modules in processes of their own."""

import os
import sys
from pathlib import Path


def module_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module, in whichever folder it is called.

    Example:
        >>> module_command("pocketlens.bench.worker")[1:]
        ['-P', '-m', 'pocketlens.bench.worker']
    """
    # -P: without it the current folder comes first, and a file named numpy.py there would be run.
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment() -> dict[str, str]:
    """The environment for modules of Pocketlens: a process finds this Pocketlens, however it was found here."""
    here = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
