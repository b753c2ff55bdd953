"""What a recipe's ``[accelerators]`` asks of a build."""

from pathlib import Path

import pytest

import pocketlens
from pocketlens.accelerators import Answer
from pocketlens.accelerators import litert_gpu as engine
from pocketlens.errors import MissingError, VerificationError
from pocketlens.placement import Placement
from pocketlens.recipe import Recipe
from pocketlens.runtimes import litert_gpu, vulkan
from tests.generators import seeded

MISSING = litert_gpu.missing()
needs_engine = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def placements(mode: str, folder: Path) -> list[Placement]:
    recipe = Recipe.parse(
        f'[filter]\nname = "small"\nsizes = [[32, 48]]\n[targets]\ntflite = ["fp32"]\n'
        f'[accelerators]\nlitert_gpu = "{mode}"'
    )
    built = pocketlens.build(recipe, folder / "small.bundle", generator=seeded(), bench=False)
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
