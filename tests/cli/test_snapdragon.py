"""Files for Snapdragon chips through build, verify, inspect, quantize and explain: compiled and played here."""

import json
from pathlib import Path

import pytest

import pocketlens
from pocketlens.bundle import manifest as manifests
from pocketlens.bundle.verify import verify
from pocketlens.pipeline.commands.quantize import quantize
from pocketlens.recipe import Gate, Recipe
from pocketlens.runtimes.adapter import RUNTIMES
from tests.cli.calls import call
from tests.generators import seeded

pytestmark = pytest.mark.skipif(bool(RUNTIMES["qnn"].missing()), reason=RUNTIMES["qnn"].install)
RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]
[targets]
qnn = ["fp16", "int8", "int8-a16"]
[chips]
names = ["sm8650", "SM8750"]
"""
NAMES = [f"qnn-{p}-32x48-{chip}" for p in ("fp16", "int8", "int8-a16") for chip in ("sm8650", "sm8750")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapdragon") / "small.bundle"
    pocketlens.build(Recipe.parse(RECIPE), path, generator=seeded(), bench=False)
    return path


def test_build_writes_a_file_for_every_chip_and_asks_the_emulator(bundle: Path) -> None:
    manifest = manifests.parse((bundle / "manifest.json").read_text())
    assert [artifact.id for artifact in manifest.artifacts] == NAMES
    assert all((bundle / artifact.path).with_suffix(".bin").is_file() for artifact in manifest.artifacts)
    for artifact in manifest.artifacts:
        (placement,) = artifact.placements
        assert (placement.accelerator, placement.status) == ("snapdragon-npu", "whole")
        assert "onnxruntime-qnn" in placement.engine and placement.psnr == pytest.approx(artifact.scores.psnr, abs=0.1)
    page = (bundle / "report.html").read_text()
    assert "Snapdragon NPU" in page and placement.text in page
    assert 'listOf("sm8650", "sm8750")' in (bundle / "snippets/android/SmallFilterNpu.kt").read_text()


def test_the_bundle_is_verified_and_inspected(bundle: Path) -> None:
    report = verify(bundle)
    assert (report.verdict, report.played) == ("pass", len(NAMES))
    placements = json.loads(call("inspect", bundle, "--accelerators", "--json").stdout)["placements"]
    assert [(name, row[0]["status"]) for name, row in placements.items()] == [(name, "whole") for name in NAMES]


def test_quantize_searches_once_for_all_chips(model: Path, tmp_path: Path) -> None:
    options = {"size": (32, 48), "points": 3, "gate": Gate(psnr=300)}
    refused = quantize(str(model), ["qnn"], tmp_path / "refused", chips=["sm8650", "sm7750"], **options)
    (front,) = refused.fronts
    assert [point.setting for point in front.points] == ["int8-a16"] * 3 and front.ships is None
    limit = front.points[0].scores.psnr + 0.1
    found = quantize(
        str(model), ["qnn"], tmp_path / "out", chips=["sm8650", "sm7750"], **options | {"gate": Gate(psnr=limit)}
    )
    assert found.fronts[0].ships.kept == min(point.kept for point in found.fronts[0].points if point.passes) > 0
    names = [f"qnn-int8-32x48-{chip}.onnx" for chip in ("sm8650", "sm7750")]
    assert [artifact.path.name for artifact in found.artifacts] == names
    assert all((tmp_path / "out" / name).with_suffix(".bin").is_file() for name in names)


def test_explain_says_that_an_emulator_has_no_times(model: Path) -> None:
    shown = call("explain", model, "-t", "qnn", "--size", "32x48", "--profile").stdout
    assert "costliest layers" in shown
    assert "qnn: no runtime that plays it here tells the time of a layer" in shown


def test_chips_of_targets_without_any_are_refused(model: Path) -> None:
    shown = call("quantize", model, "-t", "onnx", "--size", "32x48", "--chip", "sm8650", code=2).stderr
    assert "chips are named, but onnx files are for any" in shown
