"""A device that lies at any point of a measurement fails alone, in the terminal too: over a line without ssh."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from pocketlens.bench.devices.ssh import Ssh
from tests.bench.devices import hostile
from tests.cli.calls import call

WAYS = (
    "probe deep", "probe types", "NaN", "error is an object", "no snapshot", "load text", "picture no zlib",
    "times of two lengths", "memory no number",
)  # fmt: skip
"""Of each command that a device answers, one or two; ``tests/bench/devices/test_hostile.py`` has every way."""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What would be said to another machine is said to this one."""
    monkeypatch.setenv("HOSTILE_SIZE", "32x48")
    monkeypatch.setattr(Ssh, "cache", str(tmp_path / "there"))
    monkeypatch.setattr(Ssh, "command", lambda self, line: ["sh", "-c", line])


@pytest.mark.usefixtures("here")
def test_every_point_of_a_measurement(bundle: Path, tmp_path: Path) -> None:
    words: list[object] = []
    for number, way in enumerate(WAYS):
        python = shlex.join([sys.executable, hostile.__file__, way])
        words += ["--device", f"ssh://device{number}?python={python}"]
    words += ["--device", "local", "--artifact", "onnx-fp32-32x48", "--seconds", "0.1", "--threads", "1"]
    measured = json.loads(call("bench", bundle, *words, "-o", tmp_path / "out", "--json", code=3).stdout)
    *lying, honest = measured["devices"]
    assert [way for way, device in zip(WAYS, lying, strict=True) if device["error"] is None] == []
    assert honest["error"] is None
    assert {row["device"] for row in measured["subjects"]} == {"local"}
