"""A share of ``make kill``: commands that are killed leave nothing half, and give the same bytes afterwards."""

import subprocess
import sys

from tests.conftest import ROOT


def test_a_killed_command_leaves_nothing_half() -> None:
    """In a process of its own: it forks, and a fork of one that has threads may hang."""
    line = [sys.executable, "-m", "tests.attacks.kill", "4"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    assert "4 of 4" in done.stdout
