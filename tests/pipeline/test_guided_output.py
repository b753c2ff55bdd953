"""Guided output from recipe to bundle: large pictures in and out, verified as every other file."""

from pathlib import Path

import numpy as np
import pytest

import pocketlens
from pocketlens import images, quality
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.models.photographs import photographs
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands.build import Build
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.recipe import Recipe
from tests.generators import picture

RECIPE = """
[filter]
name = "large"
source = "{source}"
sizes = [{size}]
guided = 4
license = "Apache-2.0"

[targets]
{targets}

[accelerators]
litert_gpu = "off"
"""
ALL = 'onnx = ["fp32", "w8"]\nopenvino = ["int8"]\ntflite = ["fp32", "w8"]\ncoreml = ["fp16"]'


def _recipe(size: str, targets: str = ALL, source: str = "builtin:cartoon") -> Recipe:
    return Recipe.parse(RECIPE.format(source=source, size=size, targets=targets))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return pocketlens.build(_recipe("[96, 128]"), tmp_path_factory.mktemp("guided") / "b", bench=False)


def test_every_target_takes_and_gives_the_large_picture(made: Build) -> None:
    artifacts = made.manifest.artifacts
    assert len(artifacts) == 6
    assert {(a.height, a.width) for a in artifacts} == {(96, 128)}
    least = {"fp32": 100, "fp16": 65, "w8": 60, "int8": 40}
    assert all(a.scores.psnr > least[a.precision] for a in artifacts), [(a.id, a.scores.psnr) for a in artifacts]
    assert pocketlens.verify(made.path).verdict == "pass"


def test_a_session_gives_the_teachers_picture(made: Build) -> None:
    large = picture(96, 128)
    source = resolve("builtin:cartoon", base=Path()).with_guided_output(4)
    with pocketlens.load(made.path, artifact="tflite-fp32-96x128") as session:
        assert quality.psnr(teacher_of(source)(large), session(large).astype(np.float32)) > 55


def test_a_pack_has_guided_output_in_each_style(tmp_path: Path) -> None:
    made = pocketlens.build(_recipe("[64, 64]", 'onnx = ["fp32"]', "builtin:atelier"), tmp_path / "b", bench=False)
    (artifact,) = made.manifest.artifacts
    assert artifact.scores.psnr > 100
    with pocketlens.load(made.path) as session:
        pictures = [session(picture(64, 64), style=style) for style in ("ink", "oil")]
    assert not np.array_equal(*pictures)


def _portrait() -> Picture:
    known = next(p for p in photographs.table() if p.name == "astronaut")
    return images.fill(photographs.load(known), 384, 384)


def test_the_cartoon_is_three_decibels_nearer_to_the_teacher_than_stretched() -> None:
    """At the size of the photograph; docs/figures/guided-output.md has 720 x 1280."""
    large = _portrait()
    source = resolve("builtin:cartoon", base=Path())
    teacher, guided = teacher_of(source), teacher_of(source.with_guided_output(4))
    full = teacher(large)
    stretched = images.resize(images.to_uint8(teacher(images.resize(large, 96, 96))), 384, 384).astype(np.float32)
    assert quality.psnr(full, guided(large)) > quality.psnr(full, stretched) + 3


def test_a_size_that_does_not_divide_names_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiples of 16") as refusal:
        pocketlens.build(_recipe("[100, 128]", 'onnx = ["fp32"]'), tmp_path / "b", bench=False)
    assert "96 x 128" in refusal.value.do
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('output = "guided"', "guided = 4"),
        ("strokes = 0.5", "add guided"),
        ("guided = 0", "greater than or equal to 1"),
        ("guided = 4\nstrokes = 1.5", "less than or equal to 1"),
    ],
)
def test_what_a_recipe_may_say_of_it(line: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Recipe.parse(f'[filter]\nname = "x"\n{line}\n[targets]\nonnx = ["fp32"]')
