"""What long work says on the way, on a terminal and into a file."""

import os
import pty
import subprocess
import sys

import pytest

from pocketlens.cli import output

WORK = """
from pocketlens.cli import output
with output.progress() as tell:
    for step in range(1, 41):
        tell(f"training: loss {step / 7:.4f}, ssim 0.812, psnr 23.500, worst_ssim 0.790, likeness 0.770", step, 40)
import sys
sys.stderr.flush()
"""


def test_a_file_gets_a_line_for_each_stage_and_not_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as tell:
        for step in range(1, 41):
            tell(f"training: loss {step}", step, 40)
        tell("bundle", 1, 1)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["[1/40] training: loss 1", "[40/40] training: loss 40", "[1/1] bundle"]


def test_a_narrow_terminal_keeps_the_numbers() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run([sys.executable, "-c", WORK], stderr=theirs, env=environment, check=True)
        os.close(theirs)
        shown = terminal.read(1 << 16).decode("utf-8", "replace")
    assert "/40" in shown and "0:00:0" in shown and "training: loss" in shown
