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


@pytest.mark.parametrize("way", ["probe flood", "cores"])
def test_a_device_that_lies_costs_the_others_nothing(
    sshd: Sshd,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setattr(Ssh, "cache", str(tmp_path / "there"))
    python = shlex.join([sys.executable, hostile.__file__, way])
    words = ("--device", f"ssh://loopback?python={python}", "--device", "local", "--artifact", "onnx-fp32-32x48")
    more = ("--ssh-config", sshd.config, "--seconds", "0.1", "--threads", "1", "-o", tmp_path / "out", "--json")
    measured = json.loads(call("bench", bundle, *words, *more, code=3).stdout)
    lying, here = measured["devices"]
    assert lying["error"] is not None and here["error"] is None, measured["devices"]
    assert {row["device"] for row in measured["subjects"]} == {"local"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["local.json"]
