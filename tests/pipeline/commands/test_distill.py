"""``[compress]`` from the recipe to the bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import pocketlens
from pocketlens import images
from pocketlens.cli import app, main  # noqa: F401
from pocketlens.errors import InputError
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, read_metadata, save_checkpoint
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands.build import Build
from pocketlens.pipeline.commands.distill import distill
from pocketlens.pipeline.student_summary import StudentSummary, read_summary, report_sections, with_times
from pocketlens.recipe import Recipe

RECIPE = """
[filter]
name = "tiny"
source = "t.safetensors"
architecture = "pocket"
sizes = [[64, 64]]
[accelerators]
litert_gpu = "off"
[targets]
onnx = ["fp32"]
[compress]
steps = 10
width = 8
half_res_channels = 8
blocks = 1
pictures = 12
"""


COPY = RECIPE.replace("width = 8\nhalf_res_channels = 8\nblocks = 1\n", "channels = 0.5\n")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    save_checkpoint(
        Pocket(channels=16, instance_norm=1),
        tmp_path / "t.safetensors",
        CheckpointMetadata("pocket", {"channels": 16, "instance_norm": 1}),
    )
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path / "tiny.toml"


def test_distill_writes_a_recipe_that_builds(recipe: Path, tmp_path: Path) -> None:
    from pocketlens.cli import distill  # noqa: F401

    out = tmp_path / "student"
    ran = CliRunner().invoke(app, ["distill", str(recipe), "-o", str(out), "--threads", "1", "--json"])
    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.stdout)
    assert document["student_ms"] > 0 and document["teacher_ms"] > 0
    assert document["compressed"]["after"]["macs"] < document["compressed"]["before"]["macs"]
    written = Recipe.read(out / "recipe.toml")
    assert written.compress is None
    built = pocketlens.build(out / "recipe.toml", tmp_path / "tiny.bundle", bench=False)
    assert built.verdict == "pass"


def test_a_student_does_not_replace_its_teacher_or_its_recipe(recipe: Path, tmp_path: Path) -> None:
    kept = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(InputError, match="choose another output folder"):
        distill(recipe, tmp_path, threads=1)
    assert {path: path.read_bytes() for path in kept} == kept


def test_other_pictures_are_another_training(recipe: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        images.write(tmp_path / name / "p.png", random.integers(0, 256, (96, 96, 3), np.uint8))
    text = recipe.read_text()
    recipe.write_text(text.replace("[targets]", '[pictures]\ntrain = "one"\n[targets]'))
    distill(recipe, tmp_path / "s", threads=1, bench=False)
    recipe.write_text(text.replace("[targets]", '[pictures]\ntrain = "two"\n[targets]'))
    with pytest.raises(InputError, match="another training"):
        distill(recipe, tmp_path / "s", threads=1, bench=False)
    recipe.write_text(text.replace("[targets]", '[pictures]\ntrain = "two"\njudge = "two"\n[targets]'))
    with pytest.raises(InputError, match="judge what it has seen"):
        distill(recipe, tmp_path / "t", threads=1, bench=False)


def test_a_copy_that_loses_nothing_is_refused(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(COPY.replace("channels = 0.5", "channels = 0.9\nmultiple = 64"))
    with pytest.raises(InputError, match="leaves every layer as it is"):
        distill(recipe, tmp_path / "s", threads=1, bench=False)


def test_build_compresses_first_and_once(recipe: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def build(name: str) -> Build:
        return pocketlens.build(
            recipe, tmp_path / name, bench=False, threads=1, notify=lambda what, *_: said.append(what)
        )

    built = build("a.bundle")
    assert any(what.startswith("training") for what in said)
    said.clear()
    again = build("b.bundle")
    assert not any(what.startswith("training") for what in said)
    assert built.manifest.artifacts[0].sha256 == again.manifest.artifacts[0].sha256


def test_int8_takes_the_ranges_that_were_trained(recipe: Path, tmp_path: Path) -> None:
    text = RECIPE.replace('onnx = ["fp32"]', 'onnx = ["fp32"]\nopenvino = ["fp16", "int8"]')
    recipe.write_text(text + "int8_steps = 4\n")
    distilled = distill(recipe, tmp_path / "student", threads=1, bench=False)
    steps = [int(scores["step"]) for scores in distilled.compressed.history]
    assert max(steps) == 14
    minutes = [scores["minutes"] for scores in distilled.compressed.history]
    assert minutes == sorted(minutes), "the last phase's come on top"
    assert (tmp_path / "student/previews/000010.png").exists() and (
        tmp_path / "student/int8-after-10/previews/000004.png"
    ).exists()
    metadata = read_metadata(distilled.compressed.path)
    assert metadata is not None
    assert metadata.ranges["stem.conv"] == (0.0, 255.0)
    again = distill(recipe, tmp_path / "student", threads=1, bench=False)
    assert again.compressed.history == distilled.compressed.history, "a finished training is not trained on"
    built = pocketlens.build(distilled.recipe, tmp_path / "s.bundle", bench=False)
    last = distilled.compressed.history[-1]
    assert built.student is not None and built.student.scores == (last["ssim"], last["psnr"])
    assert "against its teacher" in (tmp_path / "s.bundle/report.html").read_text("utf-8")
    assert [artifact.id.split("-")[1] for artifact in built.manifest.artifacts] == ["fp32", "fp16", "int8"]
    other = pocketlens.build(recipe, tmp_path / "t.bundle", bench=False, threads=1)
    assert other.student is None, "compared with the teacher itself"
    assert [a.sha256 for a in other.manifest.artifacts] == [a.sha256 for a in built.manifest.artifacts], (
        "the same student, made by build"
    )


def test_the_gate_judges_against_the_teacher(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE + "[gate]\npsnr = 60\n")
    built = pocketlens.build(recipe, tmp_path / "a.bundle", bench=False, threads=1)
    artifact = built.manifest.artifacts[0]
    assert artifact.scores.psnr < 60, "a student of ten steps is not its teacher"
    assert built.verdict == "fail"
    assert artifact.golden_psnr > 40, "and yet the file computes what the student computes"


def test_unknown_keys_name_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'channels'"):
        Recipe.parse(RECIPE + "chanels = 0.5\n")
    with pytest.raises(InputError, match=r"compress\.steps"):
        Recipe.parse(RECIPE.replace("steps = 10", "steps = 0"))


def test_channels_and_macs_together_are_refused() -> None:
    with pytest.raises(InputError, match="give one"):
        Recipe.parse(COPY + "macs = 0.25\n")


def test_a_cut_by_rank_without_a_share_is_refused() -> None:
    with pytest.raises(InputError, match="cut = 'ranks' needs macs"):
        Recipe.parse(COPY + 'cut = "ranks"\n')


def test_what_only_a_pocket_has_is_refused_for_a_copy() -> None:
    with pytest.raises(InputError, match="blocks is of a pocket student"):
        Recipe.parse(COPY + "blocks = 2\n")


def test_the_report_says_what_the_student_costs_and_what_pruning_took(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(COPY.replace("steps = 10", "steps = 2"))
    pocketlens.build(recipe, tmp_path / "a.bundle", bench=False, threads=1)
    report = (tmp_path / "a.bundle/report.html").read_text()
    assert "What pruning took" in report
    assert "<td>3 -&gt; 16 channels became 3 -&gt; 8: 50 % of its weights went</td>" in report
    document = json.loads((tmp_path / "a.bundle/measurements/student.json").read_text())
    assert document["macs"][0] > document["macs"][1] > 0
    assert document["ms"] is None
    assert "not measured here" in report


@pytest.mark.parametrize(
    "document",
    [
        '{"before": null, "after": {"macs": "many", "parameters": 1}, "layers": []}',
        '{"before": null, "after": {"macs": 0, "parameters": 1}, "layers": []}',
        '{"before": {"macs": true, "parameters": 1}, "after": {"macs": 1, "parameters": 1}, "layers": []}',
        "[" * 100_000,
    ],
)
def test_what_stands_beside_a_checkpoint_and_makes_no_sense_is_passed_over(document: str, recipe: Path) -> None:
    source = resolve("t.safetensors", base=recipe.parent, architecture="pocket")
    (recipe.parent / "t.json").write_text(document)
    assert read_summary(source) is None


def test_teacher_and_student_are_measured_in_one_run(recipe: Path) -> None:
    source = resolve("t.safetensors", base=recipe.parent, architecture="pocket")
    assert read_summary(source) is None
    calls: list[str] = []
    for _ in range(2):
        summary = with_times(
            StudentSummary((200, 100), (None, 7)), source, source, (64, 64), 1, lambda what, *_: calls.append(what)
        )
    assert len(calls) == 1, "the second time it is known"
    (section,) = report_sections(summary)
    assert [row[0] for row in section.rows] == ["GMACs", "parameters", "onnxruntime, ms"]
    assert section.rows[1][1:] == ("-", "7", "-")
    assert summary.ms is not None and min(summary.ms) > 0
