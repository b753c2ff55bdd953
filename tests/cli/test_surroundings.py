"""What is around a command: full disks, closed streams, ASCII, names that are no Unicode."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.calls import call
from tests.conftest import ROOT

PROGRAM = f"{sys.executable} -m pocketlens"


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell; the program is ``$P`` in it."""
    variables = {**os.environ, "P": PROGRAM, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["sh", "-c", line], capture_output=True, check=False, cwd=folder, env=variables, timeout=300)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("$P zoo >/dev/full", 2, b"No space left"),
        ("$P zoo --json >/dev/full", 2, b"No space left"),
        ("$P zoo >/dev/full 2>/dev/full", 2, b""),
        ("$P zoo >&-", 0, b""),
        ("$P zoo 2>&-", 0, b"cartoon"),
        ("$P zoo <&- >&- 2>&-", 0, b""),
        ("$P verify nowhere 2>&-", 2, b""),
        ("$P verify nowhere 2>/dev/full", 2, b""),
        ("$P verify nowhere", 2, b"does not exist"),
        ("PYTHONIOENCODING=ascii $P verify \"$(printf 'n\\303\\251')\"", 2, b"n\\xe9 does not exist"),
        ("LC_ALL=C PYTHONUTF8=0 $P verify \"$(printf 'n\\351')\"", 2, b"n? does not exist"),
        ("$P verify \"$(printf 'n\\351')\"", 2, b"n? does not exist"),
        ("TMPDIR=/nowhere $P verify x.zip", 1, b"not a readable zip"),
    ],
)
def test_streams(tmp_path: Path, line: str, code: int, said: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    done = shell(line, tmp_path)
    assert done.returncode == code, done
    assert said in done.stdout + done.stderr and b"Traceback" not in done.stderr, done
    assert b"unexpected" not in done.stderr


def test_a_bundle_whose_name_is_no_unicode(bundle: Path, tmp_path: Path) -> None:
    named = os.fsdecode(b"b\xe9.bundle")
    shutil.copytree(bundle, tmp_path / named)
    (tmp_path / "in.png").write_bytes((tmp_path / named / "golden/in_00_32x48.png").read_bytes())
    for line in (
        "$P verify $N",
        "$P run $N in.png -o out",
        "$P run $N in.png -o out --json",
        "$P bench $N --seconds 0.1",
    ):
        done = shell(line, tmp_path, N=named)
        assert done.returncode in (1, 2), done
        assert b"is not UTF-8" in done.stdout + done.stderr or b"no Unicode" in done.stderr, done
        assert b"unexpected" not in done.stderr, done


def test_a_full_disk_does_not_hide_the_figures(bundle: Path, tmp_path: Path) -> None:
    """The file size is limited, which a report meets as it meets a full disk."""
    line = f"ulimit -f 40; $P bench {bundle} --artifact onnx-fp32-32x48 --seconds 0.1 -o d.json --report r.html"
    done = shell(line, tmp_path)
    assert done.returncode == 2, done
    assert b"p50 ms" in done.stdout and b"onnx-fp32-32x48" in done.stdout
    assert b"cannot write" in done.stderr and b"r.html" in done.stderr, done
    assert not (tmp_path / "r.html").exists() and not list(tmp_path.glob(".*partial*"))


def test_documents_that_cannot_be_written_hide_nothing(bundle: Path, tmp_path: Path) -> None:
    words = ("--artifact", "onnx-fp32-32x48", "--seconds", "0.1", "--report", tmp_path / "r.html")
    done = call("bench", bundle, *words, "-o", "/dev/full", code=2)
    assert "p50 ms" in done.stdout and "cannot write /dev/full" in done.stderr
    assert (tmp_path / "r.html").exists()
