"""A device that lies over ssh: it alone fails, in the terminal, in the documents and in the exit code."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from pocketlens.bench.devices.ssh import Ssh
from tests.bench.devices import hostile
from tests.bench.devices.sshd import Sshd, sshd
from tests.cli.calls import call

__all__ = ["sshd"]


WAYS = ("probe flood", "cores", "load size")
"""Ways that end a device before it plays; every way stands in ``tests/bench/devices/test_hostile.py``."""


def test_devices_that_lie_cost_the_others_nothing(
    sshd: Sshd, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ssh, "cache", str(tmp_path / "there"))
    words: list[object] = []
    for way in WAYS:
        words += ["--device", f"ssh://loopback?python={shlex.join([sys.executable, hostile.__file__, way])}"]
    words += ["--device", "local", "--artifact", "onnx-fp32-32x48", "--ssh-config", sshd.config, "--seconds", "0.1"]
    measured = json.loads(
        call("bench", bundle, *words, "--threads", "1", "-o", tmp_path / "out", "--json", code=3).stdout
    )
    *lying, here = measured["devices"]
    assert len(lying) == len(WAYS) and all(device["error"] is not None for device in lying), measured["devices"]
    assert here["error"] is None
    assert {row["device"] for row in measured["subjects"]} == {"local"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["local.json"]
