"""What a recipe's ``[accelerators]`` asks of a build."""

from pathlib import Path

import pytest
import torch
from torch import nn

import pocketlens
from pocketlens.accelerators import Answer
from pocketlens.accelerators import litert_gpu as engine
from pocketlens.converters.tflite.lowerings import convolution
from pocketlens.errors import MissingError, VerificationError
from pocketlens.placement import Placement
from pocketlens.recipe import Recipe
from pocketlens.runtimes import litert_gpu, vulkan
from tests.generators import seeded

MISSING = litert_gpu.missing()
needs_engine = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


class Grouped(nn.Module):
    """A convolution of two groups of two channels."""

    input_range = output_range = (-1.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.groups = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(torch.relu(self.groups(torch.relu(self.first(x))))))


def placements(mode: str, folder: Path, generator: nn.Module | None = None) -> list[Placement]:
    recipe = Recipe.parse(
        f'[filter]\nname = "small"\nsizes = [[32, 48]]\n[targets]\ntflite = ["fp32"]\n'
        f'[accelerators]\nlitert_gpu = "{mode}"'
    )
    generator = generator or seeded()
    built = pocketlens.build(recipe, folder / "small.bundle", generator=generator, bench=False)
    return [p for artifact in built.manifest.artifacts for p in artifact.placements if p.accelerator == "litert-gpu"]


@needs_engine
def test_what_is_required_and_holds(tmp_path: Path) -> None:
    (placement,) = placements("require", tmp_path)
    assert placement.status == "whole" and placement.psnr is not None and placement.psnr > 80
    assert "ai-edge-litert" in placement.engine
    page = (tmp_path / "small.bundle/report.html").read_text()
    assert "LiteRT GPU" in page and placement.text in page


def test_what_is_not_asked(tmp_path: Path) -> None:
    assert placements("off", tmp_path) == []


def test_without_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulkan, "_loader", lambda: None)
    (placement,) = placements("report", tmp_path)
    assert placement.status == "unchecked" and "apt-get install chromium" in placement.reason
    with pytest.raises(MissingError, match="litert_gpu = 'require'"):
        placements("require", tmp_path / "required")
    assert not (tmp_path / "required").exists()


def test_what_is_required_and_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answer(Placement("litert-gpu", "partly", ("MEAN",), "it is too new"))
    monkeypatch.setattr(engine, "missing", lambda: None)
    monkeypatch.setattr(engine, "version", lambda: "an engine that lacks MEAN")
    monkeypatch.setattr(engine, "place", lambda request: answer)
    with pytest.raises(VerificationError, match=r"tflite-fp32-32x48 is not whole on LiteRT GPU: partly: not MEAN"):
        placements("require", tmp_path)
    assert not (tmp_path / "small.bundle").exists()


@needs_engine
def test_a_file_that_the_gpu_plays_wrongly_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real fault of LiteRT's GPU engine, whose way around is taken away (docs/upstream.md)."""
    (right,) = placements("require", tmp_path / "right", seeded(Grouped))
    assert right.status == "whole"
    monkeypatch.setattr(convolution, "_wide_groups", lambda kernel, groups: (kernel, groups))
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(VerificationError, match=r"is not whole on LiteRT GPU: refused, .*another picture"):
        placements("require", tmp_path / "wrong", seeded(Grouped))
    assert not (tmp_path / "wrong/small.bundle").exists()
