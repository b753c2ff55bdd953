"""Train a filter that ships: ``python -m pocketlens.models.shipped.train starry -o starry.safetensors``.

A pocket generator learns a classical effect as ``pocketlens train --effect`` does, or a pack several at once. The
effects are run once, and their outputs kept in the cache. The same seed, steps and threads give the same weights on the
same machine.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from pocketlens import files, images, quality
from pocketlens.converters.ranges import Ranges
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.distill.dataset import DatasetSpec, record_teacher
from pocketlens.models.distill.distillation import Distillation, LossWeights
from pocketlens.models.distill.feature_teacher import function_teacher
from pocketlens.models.distill.pack_distillation import PackDistillation
from pocketlens.models.photographs import photographs
from pocketlens.models.pocket import Pocket
from pocketlens.models.shipped.brush_effects import ink, oil
from pocketlens.models.shipped.cartoon_effect import cartoon
from pocketlens.models.shipped.painting_effect import starry
from pocketlens.models.teacher import torch_teacher
from pocketlens.models.training.loop import Schedule, run_training, seed_everything
from pocketlens.models.training.pocket_init import initial_pocket
from pocketlens.progress import Progress, silent

Effect = Callable[[images.Picture], images.Picture]
FILTERS: dict[str, tuple[Effect, ...]] = {
    "cartoon": (cartoon,),
    "starry": (starry,),
    "atelier": (cartoon, starry, ink, oil),
}
"""What each filter that ships reproduces; of a pack one effect a style."""
LENGTHS = {"cartoon": (8000, 800), "starry": (3000, 800), "atelier": (8000, 400)}
"""Weight updates, and pictures that are drawn, of what ships."""


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how hard to train.

    Attributes:
        steps: Number of weight updates.
        pairs: Number of pictures that are drawn; an effect takes about 0.2 s for each.
        side: Of the pictures, in pixels.
        batch: Pictures an update.
        rate: The highest learning rate.
        seed: Of everything that is random.
        threads: Of torch; another number may round differently. What ships was trained with one.
    """

    steps: int
    pairs: int
    side: int = 192
    batch: int = 4
    rate: float = 5e-3
    seed: int = 7
    threads: int = 1


def train(effects: Sequence[Effect], settings: TrainingSettings, notify: Progress = silent) -> Pocket:
    """Train a generator of an effect, or a pack of several, and return it in eval mode.

    Raises:
        MissingError: A library that carries the photographs is not installed.
    """
    count = max(1, settings.steps // 10)
    schedule = Schedule(
        steps=settings.steps, seed=settings.seed, threads=settings.threads, score_every=count, save_every=count
    )
    random = seed_everything(schedule)
    spec = DatasetSpec(((settings.side, settings.pairs),), settings.seed)
    datasets = [
        record_teacher(partial(function_teacher, effect), _key(effect), spec, None, notify)[0] for effect in effects
    ]
    styles = len(effects) if len(effects) > 1 else 0
    task = (PackDistillation if styles else Distillation)(
        initial_pocket(styles=styles), datasets, lambda student, _: _mean_scores(effects, student),
        LossWeights(features=0), peak=settings.rate, pixels=settings.batch * settings.side**2,
    )  # fmt: skip
    student = run_training(task, schedule, random, None, "", notify).student
    assert isinstance(student, Pocket)
    return student


def _key(effect: Effect) -> str:
    """A hash of an effect: of all the code and numbers beside this file, which effects are made of."""
    here = sorted([*Path(__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.json")])
    return files.key_of(effect=effect.__name__, code=[files.sha256(path) for path in here])


def stylize(generator: torch.nn.Module, picture: images.Picture, style: Sequence[float] = ()) -> images.Picture:
    """Run a generator of 0..255 on a picture whose sides are multiples of 4; a pack with so much of each style."""
    return images.to_uint8(torch_teacher(generator, Ranges())(picture, style))


def scores(effects: Sequence[Effect], generator: torch.nn.Module, side: int = 256) -> dict[str, quality.Scores]:
    """How close the generator comes to the classical effects on the photographs that it never saw, at ``side``²."""
    scores_of = {}
    for photograph in photographs.table():
        if photograph.use != "judge":
            continue
        for i, effect in enumerate(effects):
            style = np.eye(len(effects))[i].tolist() if len(effects) > 1 else ()
            name = f"{photograph.name}, {effect.__name__}" if style else photograph.name
            picture, target = _example(photograph, effect, side)
            scores_of[name] = quality.compare(target, stylize(generator, picture, style))
    return scores_of


@cache
def _example(photograph: photographs.Photograph, effect: Effect, side: int) -> tuple[images.Picture, images.Picture]:
    picture = images.fill(photographs.load(photograph), side, side)
    return picture, effect(picture)


def _mean_scores(effects: Sequence[Effect], generator: torch.nn.Module) -> dict[str, float]:
    all_scores = scores(effects, generator).values()
    return {
        "ssim": round(float(np.mean([s.ssim for s in all_scores])), 4),
        "psnr": round(float(np.mean([s.psnr for s in all_scores])), 2),
    }


def main() -> None:
    """Parse the command line, train, save and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("filter", choices=FILTERS)
    parser.add_argument("-o", "--output", type=Path, help="beside this file if left out")
    parser.add_argument("--steps", type=int, help="those of what ships if left out")
    parser.add_argument("--pairs", type=int, help="likewise")
    parser.add_argument("--threads", type=int, default=TrainingSettings.threads)
    parser.add_argument("--seed", type=int, default=TrainingSettings.seed)
    parser.add_argument("--rate", type=float, default=TrainingSettings.rate)
    chosen = parser.parse_args()
    steps, pairs = LENGTHS[chosen.filter]
    console = Console(stderr=True)
    effects, output = FILTERS[chosen.filter], chosen.output or Path(__file__).parent / f"{chosen.filter}.safetensors"
    settings = TrainingSettings(
        steps=steps if chosen.steps is None else chosen.steps, pairs=chosen.pairs or pairs, threads=chosen.threads,
        seed=chosen.seed, rate=chosen.rate,
    )  # fmt: skip
    columns = (
        TextColumn("{task.completed}/{task.total} {task.description}"), BarColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with ProgressBar(*columns, console=console) as progress:
        bar = progress.add_task("")
        student = train(
            effects, settings,
            lambda what, done, total: progress.update(bar, description=what, completed=done, total=total),
        )  # fmt: skip
    styles = tuple(effect.__name__ for effect in effects) if len(effects) > 1 else ()
    arguments = {"styles": len(styles)} if styles else {}
    save_checkpoint(student, output, CheckpointMetadata("pocket", arguments, styles=styles))
    for name, score in scores(effects, student).items():
        console.print(f"{name}: {score.psnr:.1f} dB, SSIM {score.ssim:.3f}")


if __name__ == "__main__":
    main()
