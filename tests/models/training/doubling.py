"""A training of less than a second, which can be killed at any step."""

import os
import signal
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocketlens.models.checkpoint import digest
from pocketlens.models.training.loop import Schedule, run_training, seed_everything


class DoublingTask:
    """A training task that learns to double its input, from numbers drawn by both random generators."""

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
    """The digest of the trained weights, and the errors on the way; killed at a step where one is given."""
    random = seed_everything(SCHEDULE)
    result = run_training(DoublingTask(stop_after), SCHEDULE, random, folder, "key")
    return digest(result.student), [scores["error"] for scores in result.history]
