"""Commands without the extras that they need: each says what to install."""

import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT
from tests.release.test_action import BUNDLE

SCRIPT = """
import json, sys
from typer.testing import CliRunner
from pocketlens.cli import load_commands
app, runner = load_commands(), CliRunner()
ended = {line: runner.invoke(app, line.split()) for line in json.loads(sys.argv[1])}
print(json.dumps({line: (done.exit_code, done.output) for line, done in ended.items()}))
"""
NEEDING = {
    "convert builtin:cartoon -t qnn": "build", "quantize builtin:cartoon -t onnx": "build",
    "optimize builtin:cartoon -t onnx": "build", "distill recipe.toml": "build", "train --effect ink -o o": "build",
    "search recipe.toml": "build", "inspect builtin:cartoon": "build", "zoo": "build",
    "explain builtin:cartoon": "build", "predict builtin:cartoon --phone s24": "build",
}  # fmt: skip


def _closure(name: str) -> set[str]:
    """A distribution and all that it needs without extras."""
    found = [Requirement(line) for line in distribution(name).requires or ()]
    needed = [r.name for r in found if r.marker is None or r.marker.evaluate({"extra": ""})]
    return {name}.union(*(_closure(other) for other in needed))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What commands say where only the packages are that Pocketlens needs without extras."""
    packages = tmp_path_factory.mktemp("site-packages")
    (packages / "pocketlens").symlink_to(ROOT / "pocketlens")
    for name in _closure("pocketlens") - {"pocketlens"}:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    lines = json.dumps(
        [*NEEDING, "build recipe.toml", "demo -o o", f"verify {BUNDLE} --json", f"run {BUNDLE} a.png", "doctor"]
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT, lines], cwd=packages, env={"PYTHONPATH": str(packages)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("line", NEEDING)
def test_a_command_says_which_extra_it_needs(line: str, said: dict[str, tuple[int, str]]) -> None:
    code, text = said[line]
    assert code == 3, text
    assert f"pip install 'pocketlens[{NEEDING[line]}]'" in text


@pytest.mark.parametrize("line", ["build recipe.toml", "demo -o o", f"run {BUNDLE} a.png", "doctor"])
def test_nothing_can_be_built_or_played(line: str, said: dict[str, tuple[int, str]]) -> None:
    code, text = said[line]
    assert code == 3, text
    assert "pip install 'pocketlens[" in text


def test_a_bundle_of_which_nothing_can_be_played_is_not_verified(said: dict[str, tuple[int, str]]) -> None:
    code, text = said[f"verify {BUNDLE} --json"]
    assert code == 1, text
    assert "pip install 'pocketlens[litert]'" in text and "pocketlens doctor" in text
