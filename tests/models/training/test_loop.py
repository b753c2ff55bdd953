"""The loop of trainings: where it runs, how the learning rate changes, what its seconds are."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import pocketlens
from pocketlens.models.training import loop
from pocketlens.models.training.loop import Schedule, learning_rate_factor, run_training, seed_everything
from tests.models.training.doubling import SCHEDULE, DoublingTask


@pytest.mark.parametrize(("available", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_used_where_torch_sees_one(monkeypatch: pytest.MonkeyPatch, available: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert loop.device().type == device


def test_nothing_else_names_a_gpu() -> None:
    root = Path(pocketlens.__file__).parent
    naming = [p.relative_to(root) for p in (root / "models").rglob("*.py") if "cuda" in p.read_text(encoding="utf-8")]
    assert naming == [Path("models/training/loop.py")]


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate_factor(step, Schedule(steps=200)) for step in range(200)]
    assert rates[0] < rates[7] == 1.0
    assert all(a >= b for a, b in pairwise(rates[8:]))
    assert rates[-1] < 0.001


def test_seconds_are_those_of_the_processor() -> None:
    random, before = seed_everything(SCHEDULE), time.process_time()
    assert 0 < run_training(DoublingTask(), SCHEDULE, random, None, "key").seconds <= time.process_time() - before
