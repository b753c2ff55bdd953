"""Commands on LiteRT's GPU engine, and without it."""

import json
from pathlib import Path

import pytest

from pocketlens.bundle.verify import verify
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes import litert_gpu, vulkan
from tests.cli.calls import call

BUNDLE = Path(__file__).resolve().parents[1] / "data/bundles/schema-1.4.bundle"
TFLITE = BUNDLE / "artifacts/tflite-int8-24x32.tflite"
MISSING = litert_gpu.missing()
needs_engine = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@needs_engine
def test_a_bundle_and_a_file_are_asked_here() -> None:
    shown = call("inspect", BUNDLE, "--accelerators", "--json")
    placements = json.loads(shown.stdout)["placements"]
    on_gpu = {name: [p for p in row if p["accelerator"] == "litert-gpu"] for name, row in placements.items()}
    assert [on_gpu[f"tflite-{precision}-24x32"][0]["status"] for precision in ("fp16", "int8")] == ["whole", "whole"]
    assert not on_gpu["onnx-fp32-24x32"]
    shown = call("inspect", TFLITE, "--accelerators")
    assert shown.exit_code == 0 and "LiteRT GPU" in shown.stdout and "whole" in shown.stdout


@needs_engine
def test_a_bundle_is_verified_on_the_gpu() -> None:
    report = verify(BUNDLE, ["litert"], accelerator="gpu")
    assert (report.verdict, report.played) == ("pass", 2)


def test_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulkan, "_loader", lambda: None)
    with pytest.raises(MissingError, match="apt-get install chromium"):
        verify(BUNDLE, ["litert"], accelerator="gpu")
    shown = call("inspect", TFLITE, "--accelerators")
    assert "not checked" in shown.stdout and "apt-get install chromium" in " ".join(shown.stdout.split())
    checks = json.loads(call("doctor", "--json").stdout)["checks"]
    (check,) = [check for check in checks if check["name"] == "litert-gpu"]
    assert "libvulkan.so.1" in check["missing"] and "chromium" in check["get"]


def test_what_nobody_has_or_asks_about(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"accelerator 'tpu'[\s\S]*gpu"):
        verify(BUNDLE, accelerator="tpu")
    (tmp_path / "x.bin").write_bytes(b"1")
    shown = call("inspect", tmp_path / "x.bin", "--accelerators", code=2)
    assert "no accelerator is asked about x.bin" in shown.output
