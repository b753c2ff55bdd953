"""Tables in narrow terminals; what long work says on the way, on a terminal and into a file."""

import os
import pty
import subprocess
import sys

import pytest

from pocketlens.cli import output
from pocketlens.errors import InputError

WORK = """
from pocketlens.cli import output
from pocketlens.errors import InputError
with output.progress() as notify:
    for step in range(1, 41):
        notify(f"training: loss {step / 7:.4f}, ssim 0.812, psnr 23.500, worst_ssim 0.790, likeness 0.770", step, 40)
import sys
sys.stderr.flush()
"""

COLUMNS = ("artifact", "MB", "p50 ms", "budget", "note")
ROWS = [
    ["tflite-int8-a16-1024x1024 in litert, 2 threads", "12.50", "7.1", "pass", ""],
    ["onnx-fp32-256x256", "0.01", "-", "not measured", "the device was slowed down while it was measured"],
]


@pytest.mark.parametrize("width", [40, 50, 60, 70, 80, 100, 200])
def test_a_table_fits_and_breaks_no_word(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    output.table(COLUMNS, ROWS, title="What was measured on the way")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    words = {word.strip(",") for row in ROWS for cell in row for word in cell.split()} - {"-"}
    assert words <= {word.strip(",") for word in shown.split()}


def test_a_title_is_not_broken_to_the_width_of_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("ssim", "psnr"), [["0.88", "26.5"]], title="Against the painter's own file")
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown == ["Against the painter's own file", "ssim psnr", "0.88 26.5"]


def test_rows_of_a_narrow_terminal_name_their_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    output.table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "tflite-int8-a16-1024x1024 in litert, 2",
        "threads",
        "  MB 12.50, p50 ms 7.1, budget pass",
        "onnx-fp32-256x256",
        "  MB 0.01, budget not measured, note the",
        "  device was slowed down while it was",
        "  measured",
    ]


def test_what_steers_a_terminal_is_not_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in ("20", "80"):
        monkeypatch.setenv("COLUMNS", width)
        output.table(["name", "value of the first column"], [["\x1b[31mred", "[bold]b[/bold]"]])
        assert "?[31mred" in (shown := capsys.readouterr().out) and "[bold]b[/bold]" in shown


def test_a_file_gets_a_line_for_each_stage_and_not_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as notify:
        for step in range(1, 41):
            notify(f"training: loss {step}", step, 40)
        notify("bundle", 1, 1)
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


def test_line_ends_in_names_forge_no_lines(capfd: pytest.CaptureFixture[str]) -> None:
    name = "a.png\nverify: pass; \x1b[32mall well\u202e.jpg"
    output.table(["picture", "size"], [[name, "32x48"]])
    with output.progress() as notify:
        notify(name, 0, 1)
    shown = capfd.readouterr()
    printed = [line for text in (shown.out, shown.err) for line in text.splitlines()]
    assert not [line for line in printed if line.startswith("verify")]
    assert "\x1b[32m" not in shown.out + shown.err and "\u202e" not in shown.out + shown.err
    lines = str(InputError(f"{name} does not exist", do="check the path")).splitlines()
    assert [line[:2] for line in lines[1:]] == ["  ", "  "]


def test_a_terminal_of_no_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    output.table(["artifact", "MB"], [["onnx-fp32-64x64", "1.0"]])
    assert "onnx-fp32-64x64" in capsys.readouterr().out
