"""The training of the filters that ship is repeatable, and its command writes a checkpoint."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens import images
from pocketlens.models import checkpoint
from pocketlens.models.photographs import photographs
from pocketlens.models.shipped import train as training
from pocketlens.models.shipped.cartoon_effect import cartoon
from pocketlens.models.shipped.train import TrainingSettings


@pytest.fixture(autouse=True)
def _restore_torch_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


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


def test_a_pack_is_trained_on_every_style_at_once() -> None:
    settings = TrainingSettings(steps=2, pairs=4, side=64, batch=4, threads=1)
    packs = [training.train(training.FILTERS["atelier"], settings) for _ in range(2)]
    assert checkpoint.digest(packs[0]) == checkpoint.digest(packs[1])
    rows = packs[0].table.detach()
    assert len(rows) == 4 and len({tuple(row.tolist()) for row in rows}) == 4
