"""Hints: what the layers of a student should give, against what the teacher's really give."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens.converters.ranges import Ranges
from pocketlens.models.distill import hints
from pocketlens.models.distill.dataset import DistillationDataset
from pocketlens.models.distill.distillation import Distillation, LossWeights
from pocketlens.models.distill.features import capture_outputs
from pocketlens.models.pocket import Pocket
from pocketlens.models.pruning.prune import prune

SIDES = (64, 48)


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[DistillationDataset]:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (9, 3, side, side), np.uint8) for side in SIDES]
    return [DistillationDataset(inputs, inputs, None) for inputs in pictures]


def test_own_layers_are_the_generator_s_in_the_channels_that_stayed(datasets: list[DistillationDataset]) -> None:
    torch.manual_seed(0)
    teacher = Pocket(channels=32, instance_norm=1).eval()
    pruned = prune(teacher, 0.5, [torch.from_numpy(datasets[0].inputs[:1]).float()], size=(64, 64))
    found = hints.pruned_layer_hints(teacher, pruned.kept, datasets, Ranges(), "teacher")
    assert 2 <= len(found) <= 6
    assert "head" not in {hint.layer for hint in found}
    for hint in found:
        assert hint.scale is not None
        assert [len(one) for one in hint.targets] == [9, 9]
        with capture_outputs(teacher, hint.layer) as captured, torch.no_grad():
            teacher(torch.from_numpy(datasets[1].inputs[4:5]).float())
        own = hints.subsample(captured[hint.layer][0, list(pruned.kept[hint.layer])], 6, 6).numpy()
        given = hint.targets[1][4].astype(np.float32)
        np.testing.assert_allclose(given, own * hint.scale[:, None, None], rtol=2e-3, atol=2e-3)
        assert 0.8 < hint.targets[0][:8].astype(np.float32).std((0, 2, 3)).mean() < 1.2


def test_the_generator_is_asked_once(datasets: list[DistillationDataset]) -> None:
    teacher = Pocket(channels=16)
    kept = {"stem.conv": tuple(range(8)), "down.conv": tuple(range(8)), "head": tuple(range(12))}
    first = hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "a")
    said: list[str] = []
    again = hints.pruned_layer_hints(
        teacher, kept, datasets, Ranges(), "a", lambda what, done, total: said.append(what)
    )
    assert not said
    np.testing.assert_array_equal(first[0].targets[0], again[0].targets[0])
    hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "b", lambda what, done, total: said.append(what))
    assert len(said) == 18, "another generator is asked"


def test_a_student_that_heeds_hints_comes_nearer_to_its_teacher_s_layers(datasets: list[DistillationDataset]) -> None:
    teacher = Pocket(channels=16, instance_norm=1).eval()
    kept = {name: tuple(range(16)) for name in ("stem.conv", "down.conv", "blocks.0.conv", "head")}
    given = hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "teacher")
    left = []
    for heed in (0.0, 1.0):
        torch.manual_seed(1)
        student = Pocket(channels=16, instance_norm=1)
        nothing_else = LossWeights(pixel=1e-6, ssim=0, gradient=0, frequency=0, features=heed)
        task = Distillation(student, datasets, lambda *_: {}, nothing_else, pixels=64 * 64, hints=given)
        random = np.random.default_rng(0)
        for step in range(30):
            task.update(step, random)
        with capture_outputs(student, "blocks.0.conv") as captured, torch.no_grad():
            student(torch.from_numpy(datasets[0].inputs).float())
        hint = next(one for one in given if one.layer == "blocks.0.conv")
        assert hint.scale is not None
        own = hints.subsample(captured[hint.layer], 8, 8).numpy() * hint.scale[:, None, None]
        left.append(float(np.abs(own - hint.targets[0].astype(np.float32)).mean()))
    assert left[1] < 0.9 * left[0], left
