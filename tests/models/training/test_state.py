"""A training that is killed and resumed ends with the same weights as one that is not."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models.checkpoint import digest
from pocketlens.models.training.loop import Schedule, learning_rate_factor, run_training, seed_everything


class Line:
    """Learns to double what it is given, from numbers drawn by both random sources."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.student: nn.Module = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
        self.modules = {"student": self.student}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "student": torch.optim.Adam([{"params": self.student.parameters(), "lr": 0.1, "peak": 0.1}])
        }
        self.stop_after = stop_after

    def update(self, step: int, random: np.random.Generator) -> float:
        if self.stop_after == step:
            os.kill(os.getpid(), signal.SIGKILL)
        x = torch.rand(8, 2) + torch.from_numpy(random.random((8, 2))).float()
        loss = (self.student(x) - 2 * x).square().mean()
        self.optimizers["student"].zero_grad()
        loss.backward()
        self.optimizers["student"].step()
        return float(loss.detach())

    def score(self, student: nn.Module, step: int) -> dict[str, float]:
        return {"error": float((student(torch.ones(1, 2)) - 2).abs().max())}


SCHEDULE = Schedule(steps=60, score_every=10, save_every=10, threads=1)


def train(folder: Path | None, stop_after: int | None = None) -> tuple[str, list[float]]:
    random = seed_everything(SCHEDULE)
    done = run_training(Line(stop_after), SCHEDULE, random, folder, "key")
    return digest(done.student), [one["error"] for one in done.history]


def test_a_seed_gives_the_same_weights_and_training_learns() -> None:
    first, errors = train(None)
    again, _ = train(None)
    assert first == again
    assert errors[-1] < errors[0] / 4


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    code = f"from tests.models.training.test_state import train; from pathlib import Path; train(Path({str(tmp_path)!r}), 37)"
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sorted(p.name for p in tmp_path.iterdir()) == ["training.safetensors"]
    resumed, errors = train(tmp_path)
    straight, expected = train(None)
    assert resumed == straight
    assert errors == expected


def test_seconds_are_those_of_the_processor() -> None:
    random, before = seed_everything(SCHEDULE), time.process_time()
    assert 0 < run_training(Line(), SCHEDULE, random, None, "key").seconds <= time.process_time() - before


@pytest.mark.parametrize(
    ("schedule", "key", "says"),
    [
        (SCHEDULE, "another key", "another training"),
        (replace(SCHEDULE, seed=8), "key", "another training"),
        (replace(SCHEDULE, steps=40), "key", "60 steps, and 40 are asked for"),
    ],
)
def test_a_training_is_not_replaced_by_another_or_a_shorter_one(
    tmp_path: Path, schedule: Schedule, key: str, says: str
) -> None:
    train(tmp_path)
    kept = (tmp_path / "training.safetensors").read_bytes()
    with pytest.raises(InputError, match=says):
        run_training(Line(), schedule, seed_everything(schedule), tmp_path, key)
    assert (tmp_path / "training.safetensors").read_bytes() == kept


def test_a_training_that_diverges_is_stopped_before_it_is_kept(tmp_path: Path) -> None:
    line = Line()
    line.update = lambda step, random: float("nan") if step == 12 else 1.0  # type: ignore[method-assign]
    with pytest.raises(InputError, match="nan at step 13"):
        run_training(line, SCHEDULE, seed_everything(SCHEDULE), tmp_path, "key")
    line.update = lambda step, random: float(step)  # type: ignore[method-assign]
    seen: list[str] = []
    run_training(line, SCHEDULE, seed_everything(SCHEDULE), tmp_path, "key", lambda what, *_: seen.append(what))
    assert seen[0] == "resumed at step 10"


@pytest.mark.parametrize(("steps", "made"), [(80, 20), (60, 0)])
def test_a_training_goes_on_when_it_becomes_longer(tmp_path: Path, steps: int, made: int) -> None:
    train(tmp_path)
    schedule = replace(SCHEDULE, steps=steps)
    random, line, seen = seed_everything(schedule), Line(), list[int]()
    update = line.update
    line.update = lambda step, random: (seen.append(step), update(step, random))[1]  # type: ignore[method-assign]
    done = run_training(line, schedule, random, tmp_path, "key")
    assert len(seen) == made
    assert [one["step"] for one in done.history] == list(range(10, steps + 1, 10))


def test_a_damaged_state_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    train(tmp_path)
    place = tmp_path / "training.safetensors"
    place.write_bytes(place.read_bytes()[:-50])
    with pytest.raises(InputError, match="cannot be resumed"):
        train(tmp_path)


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [learning_rate_factor(step, Schedule(steps=200)) for step in range(200)]
    assert rates[0] < rates[7] == 1.0
    assert all(a >= b for a, b in pairwise(rates[8:]))
    assert rates[-1] < 0.001
