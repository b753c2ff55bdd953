import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from pocketlens.bench.devices import runner
from pocketlens.errors import MissingError


def test_the_light_half_runs_alone(tmp_path: Path) -> None:
    name, data = runner.archive()
    assert (name, data) == runner.archive() and len(data) < 1_000_000
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(tmp_path, filter="data")
    script = (
        "import sys, pocketlens.bench.worker as w; from pocketlens.runtimes.adapter import RUNTIMES; "
        "import pocketlens.runtimes.onnxruntime, pocketlens.runtimes.litert, pocketlens.runtimes.openvino; "
        "print(w.__file__, [m for m in ('torch', 'onnx', 'pydantic', 'typer') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in done.stdout and done.stdout.strip().endswith("[]")


def wheel(folder: Path, name: str, tag: str) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as file:
        file.writestr(f"{name}.py", f"tag = {tag!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")


def test_libraries_are_fetched_for_the_device_and_not_for_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    wheel(tmp_path, "tiny", "cp311-cp311-manylinux_2_28_aarch64")
    fits = runner.Platform("aarch64", (3, 11), (2, 36))
    _, tar = runner.site(["tiny"], fits)
    with tarfile.open(tar) as opened:
        assert b"aarch64" in opened.extractfile("./tiny.py").read()  # type: ignore[union-attr]
    with pytest.raises(MissingError, match="tiny cannot be fetched for aarch64"):
        runner.site(["tiny"], runner.Platform("aarch64", (3, 11), (2, 27)))


def test_requirements_are_those_of_here() -> None:
    found = runner.requirements(["litert", "mil"])
    assert [one.split("==")[0] for one in found] == ["numpy", "pillow", "ai-edge-litert"] and "==" in found[0]
