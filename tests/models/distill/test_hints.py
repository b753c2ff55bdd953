"""Hints: the targets of a student's layers, compared with what the teacher's layers really give."""

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
def datasets() -> list[DistillationDataset]:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (9, 3, side, side), np.uint8) for side in SIDES]
    return [DistillationDataset(inputs, inputs, None) for inputs in pictures]


def test_the_targets_are_the_teacher_s_outputs_in_the_channels_that_stayed(datasets: list[DistillationDataset]) -> None:
    torch.manual_seed(0)
    teacher = Pocket(channels=32, instance_norm=1).eval()
    pruned = prune(teacher, 0.5, [torch.from_numpy(datasets[0].inputs[:1]).float()], size=(64, 64))
    layer_hints = hints.pruned_layer_hints(teacher, pruned.kept, datasets, Ranges(), "teacher")
    assert 2 <= len(layer_hints) <= 6
    assert "head" not in {hint.layer for hint in layer_hints}
    for hint in layer_hints:
        assert hint.scale is not None
        assert [len(targets) for targets in hint.targets] == [9, 9]
        with capture_outputs(teacher, hint.layer) as captured, torch.no_grad():
            teacher(torch.from_numpy(datasets[1].inputs[4:5]).float())
        output = hints.subsample(captured[hint.layer][0, list(pruned.kept[hint.layer])], 6, 6).numpy()
        target = hint.targets[1][4].astype(np.float32)
        np.testing.assert_allclose(target, output * hint.scale[:, None, None], rtol=2e-3, atol=2e-3)
        assert 0.8 < hint.targets[0][:8].astype(np.float32).std((0, 2, 3)).mean() < 1.2


def test_the_teacher_runs_once(datasets: list[DistillationDataset]) -> None:
    teacher = Pocket(channels=16)
    kept = {"stem.conv": tuple(range(8)), "down.conv": tuple(range(8)), "head": tuple(range(12))}
    first = hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "a")
    progress: list[str] = []
    again = hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "a", lambda what, *_: progress.append(what))
    assert not progress
    np.testing.assert_array_equal(first[0].targets[0], again[0].targets[0])
    hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "b", lambda what, *_: progress.append(what))
    assert len(progress) == 18, "another teacher runs"


def test_a_student_with_hints_comes_nearer_to_its_teacher_s_layers(datasets: list[DistillationDataset]) -> None:
    teacher = Pocket(channels=16, instance_norm=1).eval()
    kept = {name: tuple(range(16)) for name in ("stem.conv", "down.conv", "blocks.0.conv", "head")}
    layer_hints = hints.pruned_layer_hints(teacher, kept, datasets, Ranges(), "teacher")
    hint = next(hint for hint in layer_hints if hint.layer == "blocks.0.conv")
    assert hint.scale is not None
    errors = []
    for weight in (0.0, 1.0):
        torch.manual_seed(1)
        student = Pocket(channels=16, instance_norm=1)
        only_hints = LossWeights(pixel=1e-6, ssim=0, gradient=0, frequency=0, features=weight)
        task = Distillation(student, datasets, lambda *_: {}, only_hints, pixels=64 * 64, hints=layer_hints)
        random = np.random.default_rng(0)
        for step in range(30):
            task.update(step, random)
        with capture_outputs(student, hint.layer) as captured, torch.no_grad():
            student(torch.from_numpy(datasets[0].inputs).float())
        output = hints.subsample(captured[hint.layer], 8, 8).numpy() * hint.scale[:, None, None]
        errors.append(float(np.abs(output - hint.targets[0].astype(np.float32)).mean()))
    assert errors[1] < 0.9 * errors[0], errors
