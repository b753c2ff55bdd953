"""The other filters that ship: starry, and the pack."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens import images, quality
from pocketlens.models import checkpoint, zoo
from pocketlens.models.shipped import photographs
from pocketlens.models.shipped import train as training
from pocketlens.models.source import resolve
from pocketlens.recipe import Recipe

NAMES = ("starry", "atelier")
LEAST = {"cartoon": 24.0, "starry": 18.0, "ink": 16.0, "oil": 22.0}
"""dB to the effect on an unseen portrait; the portrait itself stands 2 dB and more below."""


@pytest.fixture(scope="module")
def portrait() -> images.Picture:
    found = next(p for p in photographs.table() if p.name == "astronaut")
    return images.fill(photographs.load(found), 256, 256)


@pytest.mark.parametrize("name", NAMES)
def test_weights_card_and_recipe_belong_together(name: str) -> None:
    known, source = zoo.builtin(name), resolve(f"builtin:{name}", base=Path())
    assert known.weights.stat().st_size < 500_000
    card = known.card.read_text("utf-8")
    assert checkpoint.digest(source.load()) in card and f"{known.weights.stat().st_size:,}" in card
    assert all(f"| {p.name} |" in card for p in photographs.table())
    recipe = Recipe.read(known.recipe)
    assert (recipe.filter.source, recipe.filter.license) == (f"builtin:{name}", known.license)
    assert set(recipe.targets.chosen()) == {"onnx", "openvino", "tflite", "coreml"}
    effects = training.FILTERS[name]
    assert source.styles == (tuple(effect.__name__ for effect in effects) if len(effects) > 1 else ())


@pytest.mark.parametrize("name", NAMES)
def test_each_style_comes_closer_to_its_effect_than_the_portrait_and_the_others(
    name: str, portrait: images.Picture
) -> None:
    generator, effects = resolve(f"builtin:{name}", base=Path()).load(), training.FILTERS[name]
    drawn = {}
    for i, effect in enumerate(effects):
        style = np.eye(len(effects))[i].tolist() if len(effects) > 1 else ()
        drawn[effect.__name__] = training.stylize(generator, portrait, style)
    for effect in effects:
        wanted, own = effect(portrait), effect.__name__
        reached = quality.psnr(wanted, drawn[own])
        assert reached > LEAST[own] and reached > quality.psnr(wanted, portrait) + 2, own
        assert all(reached > quality.psnr(wanted, other) for key, other in drawn.items() if key != own), own


def test_a_pack_is_trained_on_every_style_at_once() -> None:
    settings = training.TrainingSettings(steps=2, pairs=4, side=64, batch=4, threads=1)
    threads = torch.get_num_threads()
    try:
        packs = [training.train(training.FILTERS["atelier"], settings) for _ in range(2)]
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
    assert checkpoint.digest(packs[0]) == checkpoint.digest(packs[1])
    rows = packs[0].table.detach()
    assert len(rows) == 4 and len({tuple(row.tolist()) for row in rows}) == 4
