"""Core ML programs are checked a few times, not after each pass."""

import contextlib
from pathlib import Path

import pytest

from pocketlens import files
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.runtimes import apple
from tests.generators import small_graph

pytest.importorskip("coremltools", reason="pip install 'pocketlens[build]'")


def test_a_file_is_the_same_as_with_a_check_after_each_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coremltools.converters.mil.mil import Program

    check, count = Program.validate, 0

    def counted(program: Program, check_essential_scope: bool = False) -> None:
        nonlocal count
        count += 1
        check(program, check_essential_scope=check_essential_scope)

    monkeypatch.setattr(Program, "validate", counted)
    emitter("coreml").emit(small_graph(), "fp16", Labels("small"), tmp_path / "now.mlpackage")
    assert Program.validate is counted and 0 < count < 20
    with monkeypatch.context() as patched:
        patched.setattr(apple, "checked_seldom", contextlib.nullcontext)
        emitter("coreml").emit(small_graph(), "fp16", Labels("small"), tmp_path / "before.mlpackage")
    assert count > 50
    assert files.sha256(tmp_path / "now.mlpackage") == files.sha256(tmp_path / "before.mlpackage")
