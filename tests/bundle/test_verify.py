import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pocketlens.bundle.manifest import GateResult
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.verify import Report, verify
from pocketlens.bundle.write import write
from pocketlens.errors import InputError

Edit = Callable[[Path, Callable[[dict], None]], None]
PLAYED = [
    "onnx-fp32-48x64 in onnxruntime",
    "onnx-fp32-48x64 in openvino",
    "openvino-fp32-48x64 in openvino",
]


def failed(report: Report) -> dict[str, str]:
    assert report.verdict == "fail"
    return {check.name: check.details for check in report.checks if check.state == "fail"}


@pytest.mark.parametrize("kind", ["bundle", "zipped"])
def test_a_whole_bundle_passes(request: pytest.FixtureRequest, kind: str) -> None:
    seen = []
    report = verify(request.getfixturevalue(kind), progress=seen.append)
    assert [check.name for check in report.checks] == ["manifest", "files", *PLAYED]
    assert {check.state for check in report.checks} == {"ok"}
    assert all(check.psnr is not None and check.psnr >= 45 for check in report.checks[2:])
    assert (report.verdict, report.gates, report.played) == ("pass", "pass", 3)
    assert tuple(seen) == report.checks


def test_a_missed_gate_is_told_and_the_files_still_pass(spec: BundleSpec, tmp_path: Path) -> None:
    missed = replace(spec.artifacts[0], gates=(GateResult("ssim", 0.95, 0.9, "fail"),))
    write(replace(spec, artifacts=(missed,)), tmp_path / "b")
    report = verify(tmp_path / "b")
    assert (report.verdict, report.gates) == ("pass", "fail")


def test_chosen_runtimes_only(bundle: Path) -> None:
    report = verify(bundle, runtimes=["onnxruntime"])
    assert [check.name for check in report.checks[2:]] == PLAYED[:1]


def test_nothing_played_is_not_a_pass(full_spec: BundleSpec, tmp_path: Path, bundle: Path) -> None:
    write(replace(full_spec, artifacts=full_spec.artifacts[3:]), tmp_path / "b")
    report = verify(tmp_path / "b", runtimes=["coreml"])
    assert report.played == 0
    assert report.checks[2].state == "skipped"
    assert "macOS" in report.checks[2].details
    assert "nothing shows that its artifacts play" in failed(report)["playing"]
    assert "playing" in failed(verify(bundle, runtimes=["litert"]))


def test_an_altered_file_is_found_and_its_artifact_not_played(bundle: Path) -> None:
    weights = bundle / "artifacts/openvino-fp32-48x64.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    failures = failed(verify(bundle))
    assert set(failures) == {"artifacts/openvino-fp32-48x64.bin", PLAYED[2]}
    assert "not the file that was verified" in failures[PLAYED[2]]


def test_missing_and_unlisted_files_are_found(bundle: Path) -> None:
    (bundle / "LICENSES/MIT.txt").unlink()
    (bundle / "artifacts/extra.onnx").write_bytes(b"")
    assert failed(verify(bundle)) == {
        "artifacts/extra.onnx": "it is not listed in the manifest",
        "LICENSES/MIT.txt": "LICENSES/MIT.txt is missing",
    }


def rewrite_weights(spec: BundleSpec, folder: Path, how: Callable[[np.ndarray], np.ndarray]) -> BundleSpec:
    """The spec with the convolution of its ONNX artifact changed: hashes will be right, the picture will not."""
    model = onnx.load(spec.artifacts[0].file)
    kernel = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    kernel.CopyFrom(numpy_helper.from_array(how(numpy_helper.to_array(kernel)).copy(), kernel.name))
    onnx.save(model, folder / "wrong.onnx")
    return replace(spec, artifacts=(replace(spec.artifacts[0], file=folder / "wrong.onnx"), spec.artifacts[1]))


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # the case that is no number
@pytest.mark.parametrize(
    "how",
    [lambda w: w[:, ::-1], lambda w: w[::-1], lambda w: w * 0, lambda w: np.roll(w, 1, 3), lambda w: w * np.nan],
    ids=["channels swapped in", "channels swapped out", "zeroed", "shifted", "not a number"],
)
def test_an_artifact_that_paints_something_else_is_caught(
    spec: BundleSpec, tmp_path: Path, how: Callable[[np.ndarray], np.ndarray]
) -> None:
    write(rewrite_weights(spec, tmp_path, how), tmp_path / "b")
    failures = failed(verify(tmp_path / "b"))
    assert set(failures) == set(PLAYED[:2])
    assert all(
        "dB against the teacher's picture, at least 45.0 dB expected" in details for details in failures.values()
    )


def test_a_changed_golden_picture_is_caught(bundle: Path, edit: Edit) -> None:
    """Even by someone who mends its hash: the artifacts no longer agree with it."""
    swapped = (bundle / "golden/out_00_48x64.png").read_bytes()
    (bundle / "golden/out_01_48x64.png").write_bytes(swapped)
    edit(bundle, lambda data: data["files"].update({"golden/out_01_48x64.png": hashlib.sha256(swapped).hexdigest()}))
    assert set(failed(verify(bundle))) == set(PLAYED)


def test_a_golden_picture_that_is_no_picture(bundle: Path, edit: Edit) -> None:
    (bundle / "golden/in_00_48x64.png").write_bytes(b"GIF89a")
    edit(bundle, lambda d: d["files"].update({"golden/in_00_48x64.png": hashlib.sha256(b"GIF89a").hexdigest()}))
    assert all("cannot be read as a picture" in details for details in failed(verify(bundle)).values())


def test_an_artifact_that_no_runtime_loads(bundle: Path, edit: Edit) -> None:
    name, digest = "artifacts/onnx-fp32-48x64.onnx", hashlib.sha256(b"junk").hexdigest()
    (bundle / name).write_bytes(b"junk")

    def junk(data: dict) -> None:
        data["files"][name] = digest
        data["artifacts"][0].update(sha256=digest, bytes=4)

    edit(bundle, junk)
    failures = failed(verify(bundle))
    assert set(failures) == set(PLAYED[:2])
    assert all("is not a readable ONNX model" in details for details in failures.values())


def test_weights_outside_the_bundle_are_not_read(spec: BundleSpec, tmp_path: Path) -> None:
    """ONNX can name another file for its weights."""
    model = onnx.load(spec.artifacts[0].file)
    kernel = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    (tmp_path / "secret").write_bytes(numpy_helper.to_array(kernel).tobytes())
    kernel.ClearField("raw_data")
    kernel.data_location = onnx.TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value="../../secret")
    (tmp_path / "leak.onnx").write_bytes(model.SerializeToString())
    onnx_only = (replace(spec.artifacts[0], file=tmp_path / "leak.onnx"),)
    write(replace(spec, artifacts=onnx_only), tmp_path / "b")
    assert set(failed(verify(tmp_path / "b"))) == set(PLAYED[:2])


@pytest.mark.parametrize("text", ["", "{", '{"schema": "2.0"}'])
def test_a_manifest_that_cannot_be_read_is_a_failed_check(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    report = verify(bundle)
    assert list(failed(report)) == ["manifest"]
    assert report.gates is None


def test_a_hostile_zip_is_a_failed_check(zipped: Path) -> None:
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr("../escaped", "x")
    assert "refused" in failed(verify(zipped))["manifest"]


def test_wrong_arguments(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        verify(tmp_path / "absent")
    with pytest.raises(InputError, match="no runtime 'tensorrt'"):
        verify(bundle, runtimes=["tensorrt"])


def test_the_manifest_stays_as_it_was(bundle: Path) -> None:
    before = json.loads((bundle / "manifest.json").read_text())
    verify(bundle)
    assert json.loads((bundle / "manifest.json").read_text()) == before
