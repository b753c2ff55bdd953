"""How tests call commands: in this process, or as a user does, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner, Result

from pocketlens.cli import load_commands
from tests.conftest import ROOT


def call(*arguments: str | Path, code: int = 0, columns: int = 80) -> Result:
    """Call a command in this process, in a terminal of so many columns, and check its exit code."""
    environment = {"COLUMNS": str(columns), "POCKETLENS_DEBUG": None}
    done = CliRunner().invoke(load_commands(), [str(argument) for argument in arguments], env=environment)
    assert "Traceback" not in done.output, done.output
    assert done.exit_code == code, (done.output, done.exception)
    return done


def call_process(
    *arguments: str | Path, code: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call a command as a user does, and check its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "pocketlens", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
    )
    assert done.returncode == code, done
    return done
