"""Processes of Pocketlens run Pocketlens, whatever lies in the current folder."""

import os
import subprocess
from pathlib import Path

import pytest

from pocketlens.subprocesses import module_command, module_environment
from tests.conftest import ROOT


def test_files_of_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path / "other"))
    for name in ("json", "hashlib", "pocketlens"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    line = module_command("pocketlens.files")
    assert subprocess.run(line, cwd=tmp_path, env=module_environment(), check=False).returncode == 0
    assert subprocess.run([part for part in line if part != "-P"], cwd=tmp_path, check=False).returncode == 7


def test_every_module_that_is_run_is_run_so() -> None:
    files = sorted((ROOT / "pocketlens").rglob("*.py"))
    assert [file.name for file in files if '"-m"' in file.read_text("utf-8")] == ["subprocesses.py"]
