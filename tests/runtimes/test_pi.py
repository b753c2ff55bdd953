"""What a Raspberry Pi installs: the wheel alone in a clean environment, with numpy, Pillow and LiteRT, plays a
bundle.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.targets import ArtifactSpec
from tests.bundle.conftest import emitted, golden, spec  # noqa: F401
from tests.bundle.samples import SIZE
from tests.converters.tflite.harness import emit_bytes as flatbuffer
from tests.generators import small_graph

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "onnx", "onnx_ir", "scipy", "skimage", "pydantic", "coremltools", "matplotlib")
PLAY = f"""
import json, sys, time
start = time.perf_counter()
import pocketlens
session = pocketlens.load(sys.argv[1], measure=False)
took = time.perf_counter() - start
import numpy as np
picture = np.full((*session.size, 3), 99, np.uint8)
shape = session(picture).shape
heavy = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps([session.runtime, list(shape), heavy, pocketlens.__file__]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = _call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT, cwd=folder)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    (path,) = folder.glob("*.whl")
    return path


def _call(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )


def test_the_wheel_is_pure_and_whole(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "pocketlens/bundle/manifest.schema.json" in names
    assert "pocketlens/runtimes/video/stream.py" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_it_plays_checks_and_measures_in_a_clean_environment(wheel: Path, spec: BundleSpec, tmp_path: Path) -> None:  # noqa: F811
    from dataclasses import replace

    import numpy as np

    from pocketlens.bundle.spec import GoldenEntry
    from pocketlens.runtimes.session import open_artifact
    from tests.generators import picture

    (tmp_path / "m.tflite").write_bytes(flatbuffer(small_graph(48, 64)))
    with open_artifact(tmp_path / "m.tflite") as session:
        pair = GoldenEntry(picture(48, 64), session(picture(48, 64)), "made by a formula", "CC0-1.0")
    entry = replace(spec.artifacts[0], file=tmp_path / "m.tflite", spec=ArtifactSpec("tflite", "fp32", SIZE))
    write(replace(spec, artifacts=(entry,), golden=(pair,)), tmp_path / "b.bundle")
    assert isinstance(pair.picture, np.ndarray)

    environment = tmp_path / "pi"
    assert _call(sys.executable, "-m", "venv", environment, cwd=tmp_path).returncode == 0
    python = environment / "bin/python"
    install = ("install", "--quiet", "--no-compile", "--disable-pip-version-check", f"{wheel}[pi]")
    got = _call(python, "-m", "pip", *install, cwd=tmp_path)
    if got.returncode:
        assert "No matching distribution" in got.stderr or "ConnectionError" in got.stderr, got.stderr[-800:]
        pytest.skip("no package index can be reached, so nothing can be installed in a clean environment")
    listed = {
        package["name"].lower()
        for package in json.loads(_call(python, "-m", "pip", "list", "--format", "json", cwd=tmp_path).stdout)
    }
    assert {"numpy", "pillow", "ai-edge-litert", "pocketlens"} <= listed
    assert not listed & {"torch", "onnx", "onnx-ir", "scipy", "scikit-image", "openvino", "onnxruntime"}
    played = _call(python, "-c", PLAY, tmp_path / "b.bundle", cwd=tmp_path)
    runtime, shape, heavy, where = json.loads(played.stdout.splitlines()[-1])
    assert (runtime, shape, heavy) == ("litert", [48, 64, 3], [])
    assert str(environment) in where
    for command in (
        ["verify"],
        ["bench", "--seconds", "0.2"],
        ["run", sorted((tmp_path / "b.bundle/golden").glob("in_*.png"))[0]],
    ):
        name, *rest = command
        done = _call(environment / "bin/pocketlens", name, tmp_path / "b.bundle", *rest, cwd=tmp_path)
        assert done.returncode in ((0, 1) if name == "bench" else (0,)), (name, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
