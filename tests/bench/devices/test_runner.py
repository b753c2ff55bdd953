import io
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pocketlens.bench.channel import Channel
from pocketlens.bench.devices import runner
from pocketlens.bench.devices.worker_protocol import load_command
from pocketlens.errors import MissingError
from pocketlens.runtimes.adapter import Options
from tests.bench.cases import SmallArtifacts

LIGHT = ("numpy", "PIL", "onnxruntime", "openvino", "ai_edge_litert")
"""What a device has. Nothing else of this environment may be found by the light half."""

ALONE = """
import sys
from importlib.util import find_spec

sys.path[:0] = [{light!r}, {site!r}]
hidden = {hidden!r}
assert not [name for name in hidden if find_spec(name)], "the environment leaks in"
import pocketlens.bench.worker
import pocketlens.runtimes.onnxruntime, pocketlens.runtimes.litert, pocketlens.runtimes.openvino
from pocketlens.bench.worker import main
assert pocketlens.__path__ == [{light!r} + "/pocketlens"], pocketlens.__path__
main()
"""


@pytest.fixture
def light(tmp_path: Path) -> list[str]:
    """A command that starts the worker of the light half, with numpy, Pillow and the runtimes, and nothing else."""
    name, data = runner.archive()
    assert (name, data) == runner.archive() and len(data) < 1_000_000
    home, site = tmp_path / "light", tmp_path / "site"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(home, filter="data")
    site.mkdir()
    for name in LIGHT:
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations is not None
        package = Path(spec.submodule_search_locations[0])
        (site / name).symlink_to(package)
        if (libraries := package.parent / f"{name}.libs").exists():  # what wheels bring beside their package
            (site / libraries.name).symlink_to(libraries)
    script = ALONE.format(light=str(home), site=str(site), hidden=("torch", "onnx", "pydantic", "typer", "jinja2"))
    # -I: no PYTHONPATH and no current folder; -S: no site-packages, and so none of what an editable install leaves
    # there.
    return [sys.executable, "-I", "-S", "-c", script]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_light_half_runs_alone(light: list[str], small: SmallArtifacts, tmp_path: Path, runtime: str) -> None:
    case = small.make_case(runtime)
    np.save(tmp_path / "given.npy", case.picture)
    np.save(tmp_path / "wanted.npy", case.expected)
    channel = Channel(light, {"PATH": "", "HOME": str(tmp_path)})
    try:
        loaded = channel.ask(load_command(str(case.path), runtime, Options(1)), 60)
        assert loaded["size"] == [64, 64]
        files = {"picture": str(tmp_path / "given.npy"), "expected": str(tmp_path / "wanted.npy")}
        assert channel.ask({"do": "first", **files}, 60)["psnr"] >= 50
        assert len(channel.ask({"do": "play", "seconds": 0.01, "count": 3}, 60)["frame_ms"]) >= 3
        assert channel.ask({"do": "host"}, 60)["host"]["machine"]
        assert "snapshot" in channel.ask({"do": "snapshot"}, 60)
    finally:
        channel.close()


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
    _, tar = runner.site_packages(["tiny"], fits)
    with tarfile.open(tar) as opened:
        assert b"aarch64" in opened.extractfile("./tiny.py").read()  # type: ignore[union-attr]
    with pytest.raises(MissingError, match="tiny cannot be fetched for aarch64"):
        runner.site_packages(["tiny"], runner.Platform("aarch64", (3, 11), (2, 27)))


def test_requirements_are_those_of_here() -> None:
    requirements = runner.requirements(["litert", "mil"])
    assert [requirement.split("==")[0] for requirement in requirements] == [
        "numpy",
        "pillow",
        "ai-edge-litert",
    ] and "==" in requirements[0]
