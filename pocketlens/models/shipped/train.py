"""Train a filter that ships: ``python -m pocketlens.models.shipped.train starry -o starry.safetensors``.

A pocket generator learns a classical effect as ``pocketlens train --effect`` does, or a pack several at once. The effects are
asked once, and their answers kept in the cache. The same seed, steps and threads give the same weights on the same machine.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pocketlens import files, images, quality
from pocketlens.converters.ranges import Ranges
from pocketlens.models import made
from pocketlens.models.distill.answers import Questions, ask
from pocketlens.models.distill.master import function_master
from pocketlens.models.distill.task import Distillation, Weights
from pocketlens.models.pocket import Pocket
from pocketlens.models.shipped import photographs
from pocketlens.models.shipped.brush_effects import ink, oil
from pocketlens.models.shipped.cartoon_effect import cartoon
from pocketlens.models.shipped.pack import Pack
from pocketlens.models.shipped.painting_effect import starry
from pocketlens.models.teacher import torch_teacher
from pocketlens.models.training.run import Notify, Schedule, begin, run
from pocketlens.models.training.start import fresh

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
class Settings:
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


def train(effects: Sequence[Effect], settings: Settings, notify: Notify = lambda what, done, total: None) -> Pocket:
    """Train a generator of an effect, or a pack of several, and return it in eval mode.

    Raises:
        MissingError: A library that carries the photographs is not installed.
    """
    count = max(1, settings.steps // 10)
    schedule = Schedule(
        steps=settings.steps, seed=settings.seed, threads=settings.threads, judge_every=count, save_every=count
    )
    random = begin(schedule)
    questions = Questions(((settings.side, settings.pairs),), settings.seed)
    answers = [ask(partial(function_master, effect), _key(effect), questions, None, notify)[0] for effect in effects]
    styles = len(effects) if len(effects) > 1 else 0
    task = (Pack if styles else Distillation)(
        fresh(styles=styles), answers, lambda student, _: _means(effects, student),
        Weights(features=0), peak=settings.rate, pixels=settings.batch * settings.side**2,
    )  # fmt: skip
    done = run(task, schedule, random, None, "", notify).student
    assert isinstance(done, Pocket)
    return done


def _key(effect: Effect) -> str:
    """A hash of an effect: of all the code and numbers beside this file, which effects are made of."""
    here = sorted([*Path(__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.json")])
    return files.key_of(effect=effect.__name__, code=[files.sha256(path) for path in here])


def stylize(generator: torch.nn.Module, picture: images.Picture, style: Sequence[float] = ()) -> images.Picture:
    """Run a generator of 0..255 on a picture whose sides are multiples of 4; a pack with so much of each style."""
    return images.to_uint8(torch_teacher(generator, Ranges())(picture, style))


def scores(effects: Sequence[Effect], generator: torch.nn.Module, side: int = 256) -> dict[str, quality.Scores]:
    """How close the generator comes to the classical effects on the photographs that it never saw, at ``side``²."""
    found = {}
    for photograph in photographs.table():
        if photograph.use != "judge":
            continue
        for i, effect in enumerate(effects):
            style = np.eye(len(effects))[i].tolist() if len(effects) > 1 else ()
            name = f"{photograph.name}, {effect.__name__}" if style else photograph.name
            picture, wanted = _judged(photograph, effect, side)
            found[name] = quality.compare(wanted, stylize(generator, picture, style))
    return found


@cache
def _judged(photograph: photographs.Photograph, effect: Effect, side: int) -> tuple[images.Picture, images.Picture]:
    picture = images.fill(photographs.load(photograph), side, side)
    return picture, effect(picture)


def _means(effects: Sequence[Effect], generator: torch.nn.Module) -> dict[str, float]:
    found = scores(effects, generator).values()
    return {
        "ssim": round(float(np.mean([s.ssim for s in found])), 4),
        "psnr": round(float(np.mean([s.psnr for s in found])), 2),
    }


def main() -> None:
    """Parse the command line, train, save and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("filter", choices=FILTERS)
    parser.add_argument("-o", "--output", type=Path, help="beside this file if left out")
    parser.add_argument("--steps", type=int, help="those of what ships if left out")
    parser.add_argument("--pairs", type=int, help="likewise")
    parser.add_argument("--threads", type=int, default=Settings.threads)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--rate", type=float, default=Settings.rate)
    chosen = parser.parse_args()
    steps, pairs = LENGTHS[chosen.filter]
    console = Console(stderr=True)
    effects, output = FILTERS[chosen.filter], chosen.output or Path(__file__).parent / f"{chosen.filter}.safetensors"
    settings = Settings(
        steps=steps if chosen.steps is None else chosen.steps, pairs=chosen.pairs or pairs, threads=chosen.threads,
        seed=chosen.seed, rate=chosen.rate,
    )  # fmt: skip
    columns = (
        TextColumn("{task.completed}/{task.total} {task.description}"), BarColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("")
        student = train(
            effects, settings,
            lambda what, done, total: progress.update(bar, description=what, completed=done, total=total),
        )  # fmt: skip
    styles = tuple(effect.__name__ for effect in effects) if len(effects) > 1 else ()
    made.save(student, output, made.Made("pocket", {"styles": len(styles)} if styles else {}, styles=styles))
    for name, score in scores(effects, student).items():
        console.print(f"{name}: {score.psnr:.1f} dB, SSIM {score.ssim:.3f}")


if __name__ == "__main__":
    main()
