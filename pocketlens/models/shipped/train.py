"""Train a filter that ships: ``python -m pocketlens.models.shipped.train starry -o starry.safetensors``.

A pocket generator learns a classical effect, or a pack several at once, from pairs that are made once, at the start. The
same seed, steps and threads give the same weights on the same machine.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.nn import functional as F

from pocketlens import images, quality
from pocketlens.models import checkpoint, made
from pocketlens.models.named import styles_in
from pocketlens.models.pocket import Pocket
from pocketlens.models.shipped import photographs, samples
from pocketlens.models.shipped.brush_effects import ink, oil
from pocketlens.models.shipped.cartoon_effect import cartoon
from pocketlens.models.shipped.painting_effect import starry

Effect = Callable[[images.Picture], images.Picture]
FILTERS: dict[str, tuple[Effect, ...]] = {
    "cartoon": (cartoon,),
    "starry": (starry,),
    "atelier": (cartoon, starry, ink, oil),
}
"""What each filter that ships reproduces; of a pack one effect a style."""

_SIDE, _CROP = 192, 128
_HEAD_FACTOR = 25.0
"""Factor on the head's learning rate: it turns values around 1 into 0..255."""


@dataclass(frozen=True)
class Settings:
    """How long and how hard to train.

    Attributes:
        steps: Number of weight updates.
        pairs: Number of pictures that are drawn; the effect takes about 0.2 s for each.
        batch: Crops an update.
        rate: The highest learning rate.
        seed: Of everything that is random.
        threads: Of torch; another number may round differently.
    """

    steps: int = 5000
    pairs: int = 500
    batch: int = 8
    rate: float = 5e-3
    seed: int = 7
    threads: int = 2


def train(
    effects: Sequence[Effect], settings: Settings, console: Console | None = None, start: Pocket | None = None
) -> Pocket:
    """Train a generator of an effect, or a pack of several, from nothing or from ``start``, and return it in eval mode.

    Raises:
        MissingError: A library that carries the photographs is not installed.
    """
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console or Console(stderr=True)) as progress:
        taken, wanted = _pairs(effects, settings, random, progress)
        return _fit(settings, taken, wanted, random, progress, start)


def _pairs(
    effects: Sequence[Effect], settings: Settings, random: np.random.Generator, progress: Progress
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures ``uint8 [pairs, 3, side, side]`` and what each effect makes of them ``[effects, pairs, 3, side, side]``.

    A quarter are drawn, the rest photographed.
    """
    used = [p for p in photographs.table() if p.use != "judge"]
    pictures = [photographs.load(p) for p in used]
    chances = np.array([p.weight for p in used], np.float64)
    taken: list[images.Picture] = []
    wanted: list[list[images.Picture]] = [[] for _ in effects]
    task = progress.add_task("drawing", total=settings.pairs, note="pairs")
    for i in range(settings.pairs):
        if i % 4 == 0:
            picture = samples.leaves(_SIDE, random)
        else:
            picture = samples.piece(pictures[random.choice(len(used), p=chances / chances.sum())], _SIDE, random)
        taken.append(picture)
        for made_of, effect in zip(wanted, effects, strict=True):
            made_of.append(effect(picture))
        progress.advance(task)
    return _planar(np.stack(taken)), torch.stack([_planar(np.stack(made_of)) for made_of in wanted])


def _fit(
    settings: Settings, taken: torch.Tensor, wanted: torch.Tensor, random: np.random.Generator, progress: Progress,
    start: Pocket | None,
) -> Pocket:  # fmt: skip
    styles = len(wanted) if len(wanted) > 1 else 0
    # Of each style as many crops in each update, so that the shared norms see all of them.
    order = torch.arange(settings.batch) % len(wanted)
    style = torch.eye(styles)[order] if styles else None
    student = start or Pocket(styles=styles)
    student.train()
    if start is None:
        torch.nn.init.zeros_(student.head.weight)
        torch.nn.init.zeros_(student.head.bias)
    head = list(student.head.parameters())
    body = [p for name, p in student.named_parameters() if not name.startswith("head")]
    groups = [{"params": body, "lr": settings.rate}, {"params": head, "lr": settings.rate * _HEAD_FACTOR}]
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [g["lr"] for g in groups], total_steps=max(settings.steps, 2), pct_start=0.05, cycle_momentum=False
    )
    task = progress.add_task("training", total=settings.steps, note="")
    for step in range(settings.steps):
        x, y = _batch(taken, wanted, order.tolist(), random)
        loss = _loss(student(x, style), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            progress.update(task, completed=step, note=f"loss {loss.item():.4f}")
    progress.update(task, completed=settings.steps)
    student.eval()
    return student


def _batch(
    taken: torch.Tensor, wanted: torch.Tensor, styles: list[int], random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops with what they should become, mirrored or turned at random, both ``float32 [N, 3, crop, crop]``, 0..255."""
    xs: list[torch.Tensor] = []
    ys: list[torch.Tensor] = []
    for style, i in zip(styles, random.integers(len(taken), size=len(styles)), strict=True):
        top, left = random.integers(_SIDE - _CROP + 1, size=2)
        mirrored, turns = bool(random.integers(2)), int(random.choice([0, 0, 0, 1, 2, 3]))
        for pictures, chosen in ((taken, xs), (wanted[style], ys)):
            crop = pictures[i, :, top : top + _CROP, left : left + _CROP]
            chosen.append(torch.rot90(crop.flip(-1) if mirrored else crop, turns, (1, 2)))
    return torch.stack(xs).float(), torch.stack(ys).float()


def _loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean difference of values and of gradients, and the structural similarity, on values 0..1."""
    found, wanted = found / 255, wanted / 255
    across = F.l1_loss(found.diff(dim=3), wanted.diff(dim=3))
    down = F.l1_loss(found.diff(dim=2), wanted.diff(dim=2))
    return F.l1_loss(found, wanted) + 0.5 * (across + down) + 0.1 * (1 - _ssim(found, wanted))


def _ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Structural similarity with 7 x 7 windows (Wang et al. 2004), for values 0..1."""
    mean_a, mean_b = F.avg_pool2d(a, 7, 1), F.avg_pool2d(b, 7, 1)
    var_a = F.avg_pool2d(a * a, 7, 1) - mean_a**2
    var_b = F.avg_pool2d(b * b, 7, 1) - mean_b**2
    covariance = F.avg_pool2d(a * b, 7, 1) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    return (luminance * (2 * covariance + 0.03**2) / (var_a + var_b + 0.03**2)).mean()


def _planar(pictures: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def stylize(generator: torch.nn.Module, picture: images.Picture, style: Sequence[float] = ()) -> images.Picture:
    """Run a generator of 0..255 on a picture whose sides are multiples of 4; a pack with so much of each style."""
    with torch.no_grad():
        inputs = [_planar(picture[None]).float(), *([torch.tensor([style])] if style else [])]
        pixels: NDArray[np.float32] = generator(*inputs)[0].numpy()
    return images.to_uint8(pixels.transpose(1, 2, 0))


def scores(effects: Sequence[Effect], generator: torch.nn.Module, side: int = 256) -> dict[str, quality.Scores]:
    """How close the generator comes to the classical effects on the photographs that it never saw, at ``side``²."""
    found = {}
    for photograph in photographs.table():
        if photograph.use != "judge":
            continue
        picture = images.fill(photographs.load(photograph), side, side)
        for i, effect in enumerate(effects):
            style = np.eye(len(effects))[i].tolist() if len(effects) > 1 else ()
            name = f"{photograph.name}, {effect.__name__}" if style else photograph.name
            found[name] = quality.compare(effect(picture), stylize(generator, picture, style))
    return found


def main() -> None:
    """Parse the command line, train, save and print the scores."""
    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("filter", choices=FILTERS)
    parser.add_argument("-o", "--output", type=Path, help="beside this file if left out")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--pairs", type=int, default=defaults.pairs)
    parser.add_argument("--threads", type=int, default=defaults.threads)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument("--start", type=Path, help="a pack that has this filter's style, to go on from")
    chosen = parser.parse_args()
    console = Console(stderr=True)
    effects, output = FILTERS[chosen.filter], chosen.output or Path(__file__).parent / f"{chosen.filter}.safetensors"
    settings = Settings(
        steps=chosen.steps, pairs=chosen.pairs, threads=chosen.threads, seed=chosen.seed, rate=chosen.rate
    )
    start = None
    if chosen.start:
        pack = checkpoint.load(chosen.start, "pocket")
        assert isinstance(pack, Pocket)
        start = pack.alone(styles_in(chosen.start).index(chosen.filter))
    student = train(effects, settings, console, start)
    styles = tuple(effect.__name__ for effect in effects) if len(effects) > 1 else ()
    made.save(student, output, made.Made("pocket", {"styles": len(styles)} if styles else {}, styles=styles))
    for name, score in scores(effects, student).items():
        console.print(f"{name}: {score.psnr:.1f} dB, SSIM {score.ssim:.3f}")


if __name__ == "__main__":
    main()
