import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketlens import machine
from pocketlens.bundle import fastest
from pocketlens.bundle.choose import by_preference, choose
from pocketlens.bundle.load import load
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, MissingError
from pocketlens.models.export import export
from pocketlens.targets import ArtifactSpec
from tests.bundle.conftest import SIZE, Tint
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


def test_order_of_artifacts(spec: BundleSpec, tmp_path: Path) -> None:
    onnx = spec.artifacts[0]
    missed = (replace(onnx.gates[0], verdict="fail"),)
    large = tmp_path / "large.onnx"
    large.write_bytes(b"x" * 9_000)
    small = tmp_path / "small.tflite"
    small.write_bytes(b"x" * 90)
    artifacts = (
        replace(onnx, spec=ArtifactSpec("onnx", "fp16", SIZE), gates=missed),
        replace(onnx, spec=ArtifactSpec("onnx", "int8", SIZE)),
        replace(onnx, file=large),
        replace(onnx, file=small, spec=ArtifactSpec("tflite", "fp16", SIZE)),
    )
    made = write(replace(spec, artifacts=artifacts), tmp_path / "b")
    order = [artifact.id.removesuffix("-48x64") for artifact in by_preference(made, made.artifacts)]
    assert order == ["tflite-fp16", "onnx-fp32", "onnx-int8", "onnx-fp16"]


def test_what_cannot_be_played_is_explained(full_spec: BundleSpec, tmp_path: Path) -> None:
    made = write(replace(full_spec, artifacts=full_spec.artifacts[3:]), tmp_path / "coreml")
    with pytest.raises(MissingError, match="coreml-fp16-48x64: coreml: it runs on macOS only") as caught:
        choose(made, "coreml")
    assert caught.value.exit_code == 3
    assert caught.value.do == "choose another runtime: mil"
    with pytest.raises(InputError, match="onnxruntime cannot play it:\n  coreml-fp16-48x64: played by coreml, mil"):
        choose(made, "onnxruntime")
    with pytest.raises(InputError, match="there is no runtime 'tensorrt'"):
        choose(made, "tensorrt")
    with pytest.raises(InputError, match="no artifact 'onnx-fp32-48x64'") as absent:
        choose(made, identity="onnx-fp32-48x64")
    assert "coreml-fp16-48x64" in absent.value.do


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
for name in ("pydantic", "jinja2", "skimage", "scipy", "cyclonedx", "license_expression", "torch", "onnx", "onnx_ir", "matplotlib"):
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


def test_the_choice_is_measured_once_and_explained(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest, "_SECONDS", 0.02)
    with load(bundle, threads=1) as session:
        told = session.explain()
        assert "the fastest, measured here" in told
        assert all(f"in {name}: " in told for name in ("onnxruntime", "openvino"))
    monkeypatch.setattr(fastest, "_median_ms", lambda *_: pytest.fail("it was measured again"))
    with load(bundle, threads=1) as session:
        assert session.explain() == told
    with load(bundle, runtime="onnxruntime", measure=False) as session:
        assert "the first in the order of preference" in session.explain() or "nothing else fits" in session.explain()


@pytest.mark.parametrize("winner", ["onnxruntime", "openvino"])
def test_the_bundles_own_measurements_decide_on_a_machine_like_theirs(bundle: Path, winner: str) -> None:
    def subject(artifact: str, runtime: str) -> dict:
        ms = 5.0 if runtime == winner else 9.0
        return {"artifact": artifact, "runtime": runtime, "timing": {"rounds": [{"frame_ms": [ms, ms + 1, ms]}]}}

    pairs = [("onnx-fp32-48x64", "onnxruntime"), ("onnx-fp32-48x64", "openvino"), ("openvino-fp32-48x64", "openvino")]
    host = {"cpu": machine.cpu(), "cores": machine.cores()}
    document = {"environment": {"host": host}, "subjects": [subject(*pair) for pair in pairs]}
    (bundle / "measurements").mkdir(exist_ok=True)
    (bundle / "measurements/here.json").write_text(json.dumps(document))
    (bundle / "measurements/broken.json").write_text("{")
    with load(bundle) as session:
        assert session.runtime == winner
        assert "in the bundle" in session.explain()
    host["cpu"] = "another"
    (bundle / "measurements/here.json").write_text(json.dumps(document))
    with load(bundle, measure=False) as session:
        assert session.runtime == "onnxruntime"
        assert "order of preference" in session.explain()


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
