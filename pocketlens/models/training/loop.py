"""The loop that every training runs in: schedule, moving average, scores, previews, saving, resuming."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from pocketlens import files, machine
from pocketlens.errors import InputError
from pocketlens.models.training.ema import ModelEma
from pocketlens.models.training.state import TrainingState
from pocketlens.progress import Progress, silent

VERSION = 1
"""Raised when the same settings come to train other weights: a training that was begun with another version is not
resumed.
"""
Scorer = Callable[[nn.Module, int], dict[str, float]]
"""Scores a student in eval mode, after a number of steps, on pictures that training never sees; may write previews."""


@dataclass(frozen=True)
class Schedule:
    """How long a training runs, and what happens on the way.

    Attributes:
        steps: Number of weight updates.
        score_every: Steps between two scores.
        save_every: Steps between two saved states.
        warm: Share of the steps in which the learning rate rises; it falls along a cosine after that.
        decay: Of the running average.
        seed: Of everything that is random.
        threads: Of torch; another number may round differently.
        pause: Steps after which the training is scored, saved and left for later; None to go on to the end.
    """

    steps: int = 2000
    score_every: int = 100
    save_every: int = 100
    warm: float = 0.04
    decay: float = 0.998
    seed: int = 7
    threads: int = 2
    pause: int | None = None


class TrainingPaused(Exception):  # noqa: N818 - nothing is wrong
    """A training came to :attr:`Schedule.pause`; begun again, it goes on from there.

    Args:
        history: The scores until now.
    """

    def __init__(self, history: list[dict[str, float]]) -> None:
        self.history = tuple(history)
        super().__init__(f"paused at step {history[-1]['step']:.0f}")


class TrainingTask(Protocol):
    """One way to train.

    Attributes:
        student: What is trained and shipped; its moving average is scored.
        modules: Everything with weights, the student too, by name.
        optimizers: By name. Each parameter group holds its highest learning rate as ``peak``.
    """

    student: nn.Module
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    def update(self, step: int, random: np.random.Generator) -> float:
        """Make one update; gives the loss."""
        ...

    @property
    def score(self) -> Scorer:
        """Scores a student."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """What a training gave.

    Attributes:
        student: The moving average of the student's weights, in eval mode.
        history: The scores while it was trained; each with ``step`` and ``minutes`` (processor time over all cores,
            halved: the minutes that two cores would take; on a GPU by the clock).
        seconds: Processor time in all; on a GPU by the clock.
    """

    student: nn.Module
    history: tuple[dict[str, float], ...]
    seconds: float


def learning_rate_factor(step: int, schedule: Schedule) -> float:
    """The share of the highest learning rate at a step: a straight rise, then half a cosine.

    Example:
        >>> [round(learning_rate_factor(step, Schedule(steps=100, warm=0.1)), 2) for step in (0, 9, 55, 99)]
        [0.1, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(schedule.warm * schedule.steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 + 0.5 * math.cos(math.pi * (step - rising) / max(1, schedule.steps - rising))


def scoring_interval(steps: int) -> int:
    """Steps between two scores: four scores at least, and about a hundred of a long training.

    Example:
        >>> scoring_interval(20), scoring_interval(2000), scoring_interval(50_000)
        (5, 100, 500)
    """
    return max(1, min(100, steps // 4), steps // 100)


def seed_everything(schedule: Schedule) -> np.random.Generator:
    """Seed torch, and give the random generator of everything else that is drawn. To be called before modules are
    made.
    """
    torch.set_num_threads(schedule.threads)
    # On a GPU some gradients, that of reflected borders among them, have no repeatable form: there torch warns and goes
    # on.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    # It would also fill all memory before its first use, which finds bugs in torch and takes time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.manual_seed(schedule.seed)
    return np.random.default_rng(schedule.seed)


def device() -> torch.device:
    """A GPU if torch sees one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def use_bf16() -> bool:
    """Whether trainings multiply in bfloat16: only on a processor that has instructions for it."""
    return device().type == "cpu" and machine.has_bfloat16()


def run_training(
    task: TrainingTask, schedule: Schedule, random: np.random.Generator, folder: Path | None, key: str,
    notify: Progress = silent,
) -> TrainingResult:  # fmt: skip
    """Train until the schedule ends, from the saved state of the same training where there is one.

    Args:
        task: What to do in a step.
        schedule: How long.
        random: From :func:`seed_everything`.
        folder: Where the state is kept, as ``training.safetensors``; None keeps none.
        key: A hash of what the task is made of and learns from. The number of steps is no part of it: a finished
            training is continued when its steps become more.
        notify: Told about progress, with the newest score.

    Raises:
        InputError: The folder holds another training, or one of more steps; or this one diverged.
        TrainingPaused: It came to the schedule's pause, or was there before.
    """
    key = files.key_of(
        task=key,
        version=VERSION,
        seed=schedule.seed,
        threads=schedule.threads,
        torch=torch.__version__,
        bfloat16=use_bf16(),
    )
    ema = ModelEma(task.student, schedule.decay)
    state = TrainingState(key, {**task.modules, "average": ema.module}, task.optimizers, random)
    place = folder / "training.safetensors" if folder else None
    if place is not None and state.load(place, schedule.steps):
        notify(f"resumed at step {state.step}", state.step, schedule.steps)
    clock, cores = (time.perf_counter, 1) if device().type == "cuda" else (time.process_time, 2)
    started, newest = clock(), _newest(state.history)
    while state.step < schedule.steps:
        if schedule.pause is not None and state.step >= schedule.pause and state.history:
            raise TrainingPaused(state.history)
        for optimizer in task.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * learning_rate_factor(state.step, schedule)
        task.student.train()
        loss = task.update(state.step, random)
        if not math.isfinite(loss):
            raise InputError(
                f"the training diverged: its loss is {loss} at step {state.step + 1}",
                do="lower the rate, and look at what the teacher gives for the training pictures",
            )
        ema.update(state.step)
        state.step += 1
        last = state.step in (schedule.steps, schedule.pause)
        if state.step % schedule.score_every == 0 or last:
            now = clock()
            state.seconds, started = state.seconds + now - started, now
            scores = task.score(ema.module, state.step)
            started = clock()  # the time of scoring is not counted
            state.history.append({"step": state.step, "minutes": round(state.seconds / 60 / cores, 2), **scores})
            newest = _newest(state.history)
        if place is not None and (state.step % schedule.save_every == 0 or last):
            now = clock()
            state.seconds, started = state.seconds + now - started, now
            state.save(place)
        notify(f"training: loss {loss:.4f}{newest}", state.step, schedule.steps)
    return TrainingResult(ema.module.eval(), tuple(state.history), state.seconds)


def _newest(history: list[dict[str, float]]) -> str:
    if not history:
        return ""
    return "".join(f", {name} {value:.3f}" for name, value in history[-1].items() if name not in ("step", "minutes"))
