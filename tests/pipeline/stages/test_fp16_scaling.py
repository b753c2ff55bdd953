"""A filter that overflows half precision is built all the same: scaled by exact means, what is left is named."""

from pathlib import Path

import pytest
import torch
from torch import nn

import pocketlens
from pocketlens.bundle.read import open_bundle
from pocketlens.converters.fp16_audit import Extent
from pocketlens.pipeline import compile
from pocketlens.pipeline.stages import fp16_scaling
from pocketlens.pipeline.stages.fp16_scaling import ScaledGraph
from tests.converters.fp16_models import Loud
from tests.generators import seeded

RECIPE = """
[filter]
name = "loud"
sizes = [[32, 48]]
input_range = [-1, 1]
output_range = [-1, 1]
[targets]
coreml = ["fp16"]
onnx = ["fp32"]
"""


def test_a_loud_filter_passes_and_its_risks_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "loud.toml"
    recipe.write_text(RECIPE)
    made = pocketlens.build(recipe, tmp_path / "loud.bundle", generator=Loud().eval(), bench=False)
    onnx = next(a for a in made.manifest.artifacts if a.target == "onnx")
    assert onnx.scores.psnr > 100
    assert made.manifest.risks and all(risk.kind != "value" for risk in made.manifest.risks)
    assert made.manifest.risks[0].operator in (made.path / "report.html").read_text()
    with open_bundle(made.path) as bundle:
        assert bundle.manifest.risks == made.manifest.risks
    loud = Extent("loudest", "Conv", "value", 1e6)
    monkeypatch.setattr(compile, "fp16_scaling", lambda evaluation, graph, specs: ScaledGraph(graph, risks=(loud,)))
    worse = pocketlens.build(recipe, tmp_path / "worse.bundle", generator=Loud().eval(), bench=False)
    assert [failed.id for failed in worse.manifest.failed] == ["coreml-fp16-32x48"]
    assert "Conv 'loudest' gives up to 1e+06, and half precision ends at 65504" in worse.manifest.failed[0].reason


def test_fp32_alone_is_not_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fp16_scaling, "audit", lambda *rest: pytest.fail("nobody computes in half precision here"))
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE.replace('coreml = ["fp16"]\n', ""))
    made = pocketlens.build(recipe, tmp_path / "small.bundle", generator=seeded(), bench=False)
    assert not made.manifest.risks


class Deviation(nn.Module):
    """Divides its features by the deviation of all of them: a flat picture's roundings add up to one side."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.first(x))
        return torch.tanh(self.last(features / (features.std() + 0.1)))


def test_a_scaled_graph_takes_long_means_in_steps(tmp_path: Path) -> None:
    recipe = tmp_path / "deviation.toml"
    recipe.write_text(RECIPE.replace("loud", "deviation").replace("[32, 48]", "[256, 256]"))
    made = pocketlens.build(recipe, tmp_path / "deviation.bundle", generator=Deviation().eval(), bench=False)
    assert not made.manifest.failed
    assert next(a for a in made.manifest.artifacts if a.target == "onnx").scores.psnr > 115
