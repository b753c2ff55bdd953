"""The filter that ships: its weights, its recipe and its card belong together, and training is repeatable."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens import images
from pocketlens.models import checkpoint, zoo
from pocketlens.models.shipped import photographs
from pocketlens.models.shipped import train as training
from pocketlens.models.shipped.cartoon_effect import cartoon
from pocketlens.models.shipped.train import TrainingSettings
from pocketlens.models.source import resolve
from pocketlens.recipe import Recipe

GOLDEN = Path(__file__).parent / "cartoon_golden.npz"


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def test_the_weights_are_small_and_give_the_golden_picture() -> None:
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


def test_pictures_that_it_never_saw_come_close_to_the_effect() -> None:
    found = training.scores((cartoon,), resolve("builtin:cartoon", base=Path()).load())
    assert set(found) == {"astronaut", "coffee", "rocket"}
    for name, score in found.items():  # the photographs themselves score 21 to 28 dB, and coffee an SSIM of 0.61
        assert score.psnr > 26 and score.ssim > 0.8, name


def test_the_card_names_every_photograph_and_the_weights() -> None:
    known = zoo.builtin("cartoon")
    card = known.card.read_text(encoding="utf-8")
    assert all(f"| {p.name} |" in card for p in photographs.table())
    assert checkpoint.digest(resolve("builtin:cartoon", base=Path()).load()) in card


def test_the_recipe_reads_and_builds_this_filter() -> None:
    recipe = Recipe.read(zoo.builtin("cartoon").recipe)
    assert recipe.filter.source == "builtin:cartoon"
    assert recipe.filter.license == zoo.builtin("cartoon").license
    assert set(recipe.targets.chosen()) == {"onnx", "openvino", "tflite", "coreml"}


def test_the_same_seed_trains_the_same_weights() -> None:
    few = TrainingSettings(steps=3, pairs=4, side=64, batch=2, threads=1)
    digests = [checkpoint.digest(training.train((cartoon,), settings)) for settings in (few, few, replace(few, seed=8))]
    assert digests[0] == digests[1] != digests[2]


def test_the_command_writes_a_checkpoint_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["train", "cartoon", "-o", str(tmp_path / "x.safetensors"), "--steps", "2", "--pairs", "3"]
    monkeypatch.setattr("sys.argv", command)
    training.main()
    assert checkpoint.load(tmp_path / "x.safetensors", "pocket").training is False


def test_before_the_first_step_the_picture_passes() -> None:
    picture = images.fill(photographs.load(photographs.table()[3]), 64, 64)
    untrained = training.train((cartoon,), TrainingSettings(steps=0, pairs=4, side=64, threads=1))
    assert np.array_equal(training.stylize(untrained, picture), picture)
