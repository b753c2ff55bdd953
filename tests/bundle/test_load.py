import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketlens.bundle.load import load
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.export import export
from pocketlens.targets import ArtifactSpec
from tests.bundle.samples import SIZE, Tint
from tests.generators import picture

ROOT = Path(__file__).resolve().parents[2]
Edit = Callable[[Path, Callable[[dict], None]], None]


def test_folder_zip_opened_and_bare_artifact_paint_the_same(bundle: Path, zipped: Path, spec: BundleSpec) -> None:
    expected = spec.golden[0].expected
    with open_bundle(bundle) as opened:
        sources = [bundle, str(bundle), zipped, opened, bundle / "artifacts/onnx-fp32-48x64.onnx"]
        for source in sources:
            with load(source, "onnxruntime", threads=1) as session:
                assert np.array_equal(session(spec.golden[0].picture), expected)
        opened.check_hashes()


def test_a_zip_is_unpacked_for_as_long_as_the_session_lives(
    zipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "room").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "room"))
    session = load(zipped)
    assert len(list((tmp_path / "room").iterdir())) == 1
    assert session(picture(100, 50)).shape == (100, 50, 3)
    session.close()
    session.close()
    assert list((tmp_path / "room").iterdir()) == []
    with pytest.raises(InputError, match="no artifact 'x'"):
        load(zipped, artifact="x")
    assert list((tmp_path / "room").iterdir()) == []


def test_the_choice(bundle: Path) -> None:
    with load(bundle, measure=False) as session:
        assert (session.runtime, session.size) == ("onnxruntime", SIZE)
    with load(bundle, runtime="openvino") as session:
        assert session.runtime == "openvino"
    with load(bundle, artifact="openvino-fp32-48x64") as session:
        assert session.runtime == "openvino"


def test_runtimes_that_are_not_known_here_are_passed_over(bundle: Path, edit: Edit) -> None:
    edit(bundle, lambda data: data["artifacts"][0].update(runtimes=["future", "litert", "onnxruntime"]))
    with load(bundle, measure=False) as session:
        assert session.runtime == "onnxruntime"


def test_a_manifest_that_lies_about_the_size(bundle: Path, edit: Edit) -> None:
    def grow(data: dict) -> None:
        data["io"]["sizes"] = [[96, 64]]
        for artifact in data["artifacts"]:
            artifact["height"] = 96

    edit(bundle, grow)
    with pytest.raises(InputError, match="computes at 48 x 64, its manifest says 96 x 64"):
        load(bundle)


def test_wrong_arguments(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one artifact, not a bundle"):
        load(bundle / "artifacts/onnx-fp32-48x64.onnx", artifact="onnx-fp32-48x64")
    with pytest.raises(InputError, match="threads is 0"):
        load(bundle, threads=0)
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "absent.bundle")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="not a readable zip"):
        load(tmp_path / "notes.txt")


WITHOUT = """
import sys
for name in (
    "pydantic", "jinja2", "skimage", "scipy", "cyclonedx", "license_expression",
    "torch", "onnx", "onnx_ir", "matplotlib",
):
    sys.modules[name] = None
import pocketlens
from pocketlens.bundle import verify
report = pocketlens.verify(sys.argv[1])
assert report.verdict == "pass", report
with pocketlens.load(sys.argv[1], measure=False) as session:
    print(session.runtime)
"""


def test_reading_needs_nothing_that_only_builds(zipped: Path) -> None:
    """What a Raspberry Pi installs."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, zipped], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "onnxruntime\n"), done.stderr


def test_several_sizes_in_one_bundle(spec: BundleSpec, tmp_path: Path) -> None:
    small, large = spec.artifacts[0], tmp_path / "large.onnx"
    hub.save(export(Tint(), 96, 128, Ranges()), large)
    golden = replace(spec.golden[0], picture=picture(96, 128), expected=picture(96, 128))
    both = (small, replace(small, file=large, spec=ArtifactSpec("onnx", "fp32", (96, 128))))
    write(replace(spec, artifacts=both, golden=(*spec.golden, golden), resize="fit"), tmp_path / "b")
    with load(tmp_path / "b", "onnxruntime") as session:
        assert session.sizes == (SIZE, (96, 128))
        assert session.resize == "fit"
        for size in (SIZE, (96, 128)):
            with load(tmp_path / "b", "onnxruntime", artifact=f"onnx-fp32-{size[0]}x{size[1]}") as alone:
                assert np.array_equal(session(picture(*size)), alone(picture(*size)))
        assert session(picture(70, 70)).shape == (70, 70, 3)
        assert session(picture(300, 200)).shape == (300, 200, 3)
    with load(tmp_path / "b", resize="tile") as session:
        assert session.resize == "tile"
    with pytest.raises(InputError, match="no resize 'squeeze'"):
        load(tmp_path / "b", resize="squeeze")
