import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketlens import files
from pocketlens.bundle.manifest import GateResult
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.errors import InputError
from pocketlens.targets import TARGETS, ArtifactSpec
from tests.bundle.samples import SIZE

ROOT = Path(__file__).resolve().parents[2]


def tree(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): files.sha256(p) for p in files.files_under(folder)}


def test_everything_is_there_and_listed(full_spec: BundleSpec, tmp_path: Path) -> None:
    manifest = write(full_spec, tmp_path / "b")
    assert set(tree(tmp_path / "b")) == set(manifest.files) | {"manifest.json"}
    assert {name.split("/")[0] for name in manifest.files} == {
        "artifacts", "golden", "snippets", "LICENSES", "recipe.toml", "sbom.cdx.json", "README.md", "origin.xmp",
    }  # fmt: skip
    assert "artifacts/openvino-fp32-48x64.bin" in manifest.files
    assert "artifacts/coreml-fp16-48x64.mlpackage/Data/weight.bin" in manifest.files
    assert manifest.recipe_sha256 == hashlib.sha256(full_spec.recipe.encode()).hexdigest()
    for artifact in manifest.artifacts:
        path = tmp_path / "b" / artifact.path
        assert artifact.bytes == files.artifact_bytes(path)
        if path.suffix != ".xml":
            assert artifact.sha256 == files.sha256(path)


def test_licence_is_normalised_and_commercial_use_worked_out(spec: BundleSpec, tmp_path: Path) -> None:
    manifest = write(replace(spec, filter=replace(spec.filter, license="cc-by-nc-4.0")), tmp_path / "b")
    assert (manifest.filter.license, manifest.filter.commercial_use) == ("CC-BY-NC-4.0", False)
    assert "forbids commercial use" in (tmp_path / "b/README.md").read_text()


def test_claiming_commercial_use_against_the_licence_is_refused(spec: BundleSpec, tmp_path: Path) -> None:
    claimed = replace(spec.filter, license="CC-BY-NC-4.0", commercial_use=True)
    with pytest.raises(InputError, match="forbids it"):
        write(replace(spec, filter=claimed), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_missed_gate_writes_a_bundle_marked_fail(spec: BundleSpec, tmp_path: Path) -> None:
    missed = replace(spec.artifacts[0], gates=(GateResult("ssim", 0.95, 0.9, "fail"),))
    manifest = write(replace(spec, artifacts=(missed, spec.artifacts[1])), tmp_path / "b")
    assert manifest.verdict == "fail"
    assert "Quality gates: **fail**" in (tmp_path / "b/README.md").read_text()


WRITER = """
import sys, pathlib, pickle
from pocketlens.bundle.write import write
write(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()), pathlib.Path(sys.argv[2]))
"""


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_two_processes_write_the_same_bytes(full_spec: BundleSpec, tmp_path: Path, name: str) -> None:
    import pickle

    plain = replace(full_spec, measurements={}, licenses=dict(full_spec.licenses))
    (tmp_path / "spec").write_bytes(pickle.dumps(plain))
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", WRITER, str(tmp_path / "spec"), str(tmp_path / seed / name)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"}, cwd=ROOT)
    assert files.sha256(tmp_path / "1" / name) == files.sha256(tmp_path / "2" / name)


def test_zip_is_stored_sorted_and_the_same_content(
    spec: BundleSpec, tmp_path: Path, bundle: Path, zipped: Path
) -> None:
    with zipfile.ZipFile(zipped) as archive:
        entries = archive.infolist()
    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    assert {(e.compress_type, e.date_time) for e in entries} == {(zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))}
    with open_bundle(bundle) as unpacked, open_bundle(zipped) as other:
        assert unpacked.manifest == other.manifest
        assert tree(unpacked.folder) == tree(other.folder)


def test_measurements_are_outside_the_content(spec: BundleSpec, tmp_path: Path, bundle: Path) -> None:
    measured = replace(
        spec, measurements={"local": '{"p50": 1}'}, report=lambda manifest: f"<p>4 ms, {manifest.filter.name}</p>"
    )
    manifest = write(measured, tmp_path / "measured")
    assert (tmp_path / "measured/measurements/local.json").read_text() == '{"p50": 1}'
    assert (tmp_path / "measured/report.html").read_text() == f"<p>4 ms, {manifest.filter.name}</p>"
    assert (bundle / "manifest.json").read_bytes() == (tmp_path / "measured/manifest.json").read_bytes()
    with open_bundle(tmp_path / "measured") as opened:
        assert opened.manifest.content_sha256 == manifest.content_sha256
        assert opened.unlisted() == []


@pytest.mark.parametrize("name", ["../escape", "a/b", "a\\b"])
def test_measurements_cannot_be_written_elsewhere(spec: BundleSpec, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be named"):
        write(replace(spec, measurements={name: "{}"}), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_bundle_is_replaced_and_nothing_of_the_old_one_stays(spec: BundleSpec, bundle: Path) -> None:
    (bundle / "stray").write_text("old")
    write(replace(spec, recipe="# other\n"), bundle)
    assert not (bundle / "stray").exists()
    assert (bundle / "recipe.toml").read_text() == "# other\n"
    assert [p.name for p in bundle.parent.iterdir()] == [bundle.name]


@pytest.mark.parametrize("name", ["home", "home.zip", "file"])
def test_what_is_no_bundle_is_not_replaced(spec: BundleSpec, tmp_path: Path, name: str) -> None:
    if name == "home":
        (tmp_path / name).mkdir()
        precious = tmp_path / name / "thesis.tex"
    else:
        precious = tmp_path / name
    precious.write_text("precious")
    with pytest.raises(InputError, match="not a bundle"):
        write(spec, tmp_path / name)
    assert precious.read_text() == "precious"


def test_a_failure_in_the_middle_leaves_the_old_bundle(spec: BundleSpec, bundle: Path) -> None:
    before = tree(bundle)
    with pytest.raises(InputError, match="SPDX"):
        write(replace(spec, filter=replace(spec.filter, license="my own")), bundle)
    assert tree(bundle) == before
    assert [p.name for p in bundle.parent.iterdir()] == [bundle.name]


@pytest.mark.parametrize("target", TARGETS)
def test_every_precision_of_every_target_can_be_bundled(
    full_spec: BundleSpec, emitted: Path, tmp_path: Path, target: str
) -> None:
    compiled = replace(full_spec.artifacts[0], file=emitted / f"compiled{TARGETS[target].suffix}")
    entry = next((entry for entry in full_spec.artifacts if entry.spec.target == target), compiled)
    specs = [ArtifactSpec(target, precision, SIZE) for precision in TARGETS[target].precision_names]
    written = write(replace(full_spec, artifacts=tuple(replace(entry, spec=s) for s in specs)), tmp_path / "b")
    assert [artifact.id for artifact in written.artifacts] == [spec.id for spec in specs]
    assert [artifact.dtype for artifact in written.artifacts] == [spec.dtype for spec in specs]


@pytest.mark.parametrize(("target", "precision"), [("onnx", "../fp32"), ("../onnx", "fp32")])
def test_names_that_would_leave_the_folder_are_no_target_and_no_precision(target: str, precision: str) -> None:
    with pytest.raises(InputError, match=r"there is no target|has no precision"):
        ArtifactSpec(target, precision, SIZE)


def wrong_specs(spec: BundleSpec) -> dict[str, BundleSpec]:
    onnx, golden = spec.artifacts[0], spec.golden[0]
    small = golden.picture[:16]
    return {
        "no artifact": replace(spec, artifacts=()),
        "same target": replace(spec, artifacts=(onnx, onnx)),
        "does not exist": replace(spec, artifacts=(replace(onnx, file=onnx.file.with_name("absent.onnx")),)),
        "no golden picture": replace(spec, golden=()),
        "and the factor 1": replace(spec, golden=(golden, replace(golden, expected=small))),
        "expected uint8": replace(spec, golden=(golden, replace(golden, picture=golden.picture.astype(np.float32)))),
        "cannot be openvino-fp32": replace(spec, artifacts=(replace(spec.artifacts[1], file=onnx.file),)),
        "filter's name": replace(spec, filter=replace(spec.filter, name='tint"); evil("')),
        "licence text": replace(spec, licenses={"../../.bashrc": "x"}),
        "source.sha256": replace(spec, source=replace(spec.source, sha256="")),
    }


@pytest.mark.parametrize(
    "message",
    ["no artifact", "same target", "does not exist", "no golden picture", "and the factor 1", "expected uint8",
     "cannot be openvino-fp32", "filter's name", "licence text", "source.sha256"],
)  # fmt: skip
def test_a_wrong_spec_is_refused(spec: BundleSpec, tmp_path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write(wrong_specs(spec)[message], tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
