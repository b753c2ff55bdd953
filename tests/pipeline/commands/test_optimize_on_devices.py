"""``optimize`` on another device: timed there, chosen for it, and remembered as its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocketlens.bench import multi_device
from pocketlens.bench.document import BenchmarkSettings, Environment
from pocketlens.cli import app
from pocketlens.cli import optimize as _command  # noqa: F401 - makes the command known
from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import registry
from pocketlens.pipeline.commands.optimize import optimize
from pocketlens.pipeline.search import rewrite_search
from pocketlens.targets import TARGETS
from tests.bench.devices.adbd import Adbd
from tests.bench.devices.phones import device_of
from tests.bench.devices.sshd import Sshd
from tests.generators import small_graph

QUICK = BenchmarkSettings(seconds=0.02, count=4, block_seconds=0.001, block_count=1, warm_seconds=0.02, min_blocks=3)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small generator; one rewrite, so that there is one thing to try."""
    one = "sub-pixel-conv"
    monkeypatch.setattr(registry, "REWRITES", {one: registry.REWRITES[one]})
    monkeypatch.setattr(rewrite_search, "SETTINGS", QUICK)
    monkeypatch.setattr(rewrite_search, "PROCESSES", 1)
    monkeypatch.setattr(Environment, "disturbed", property(lambda environment: ""))
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "choices"))
    hub.save(small_graph(), tmp_path / "small.onnx")
    return str(tmp_path / "small.onnx")


def test_over_ssh(model: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_device, "open_device", lambda *arguments: sshd.device())
    before = set((sshd.home / "cache").glob("run-*"))  # of tests that cut the connection
    asked = ["optimize", model, "-t", "onnx", "-t", "coreml", "--size", "32x48", "--threads", "1", "--json"]
    done = CliRunner().invoke(app, [*asked, "--device", "ssh://loopback"])
    assert done.exit_code == 0, done.output
    onnx, coreml = json.loads(done.stdout)["choices"]
    assert onnx["device"] == "ssh://loopback" and onnx["cpu"] and onnx["time"]
    assert onnx["trials"][0]["ratio"] is not None, onnx
    assert not coreml["device"] and coreml["names"] == list(TARGETS["coreml"].rewrites)
    left = set((sshd.home / "cache").glob("run-*"))
    assert left == before, "what each measurement brought is removed"

    def again(*arguments: object, **options: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(rewrite_search, "measure", again)
    (kept,) = optimize(model, ["onnx"], size=(32, 48), device=sshd.device(), threads=1).choices
    assert kept.time == onnx["time"]
    with pytest.raises(AssertionError, match="measured again"):  # another device decides nothing for this one
        optimize(model, ["onnx"], size=(32, 48), threads=1)


def test_over_adb_with_litert_s_tool(model: str, phone: Adbd, tool: Path) -> None:
    """A tool that is started for a few frames gives enough rounds; what it does not play takes its defaults."""
    found = optimize(model, ["tflite", "coreml"], size=(32, 48), device=device_of(phone, tool), threads=1)
    tflite, coreml = found.choices
    assert tflite.device == f"adb:{phone.serial}"
    assert tflite.trials[0].ratio is not None, tflite.trials
    assert not coreml.device and coreml.trials[0].note
