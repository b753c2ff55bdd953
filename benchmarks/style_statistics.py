"""A portrait changed until its statistics are a painting's: what needs no trained features, and how far it gets.

``python -m benchmarks.style_statistics painting.jpg -o docs/style-statistics.jpg`` draws a row: the photograph, the
painting, and the portrait after each of :data:`STATISTICS`, each with the content held by its own random features.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from pocketlens import images
from pocketlens.models.photographs import photographs

SIDE, STEPS, SEED = 256, 200, 7
FILTERS, KERNEL, SCALES = 96, 7, 4
PATCH, DIRECTIONS, PLACES = 7, 64, 4096

Statistic = Callable[[torch.Tensor], list[torch.Tensor]]


def _pyramid(x: torch.Tensor) -> list[torch.Tensor]:
    return [x if not i else F.avg_pool2d(x, 2**i) for i in range(SCALES)]


def random_filters() -> Statistic:
    """Products of the answers of random filters, at four scales (after Ustyuzhaninov et al., "What does it take to
    generate natural textures?", 2017).
    """
    kernels = torch.randn(FILTERS, 3, KERNEL, KERNEL)
    kernels = kernels - kernels.mean((2, 3), keepdim=True)

    def measure(x: torch.Tensor) -> list[torch.Tensor]:
        products = []
        for level in _pyramid(x):
            answers = F.relu(F.conv2d(level, kernels)).flatten(2)[0]
            products.append(answers @ answers.T / answers.shape[1] / (3 * KERNEL * KERNEL))
        return [*products, x.mean((2, 3)), x.flatten(2)[0] @ x.flatten(2)[0].T / x[0, 0].numel()]

    return measure


def sliced_patches() -> Statistic:
    """Sorted projections of patches on random directions, at four scales: their distance is a sliced Wasserstein
    distance (after Elnekave and Weiss, "Generating natural images with direct patch distributions matching", 2022).
    """
    kernels = torch.randn(DIRECTIONS, 3, PATCH, PATCH)
    kernels = kernels / kernels.flatten(1).norm(dim=1)[:, None, None, None]

    def measure(x: torch.Tensor) -> list[torch.Tensor]:
        projections = []
        for level in _pyramid(x):
            answers = F.conv2d(level, kernels).flatten(2)[0]
            places = torch.linspace(0, answers.shape[1] - 1, min(PLACES, answers.shape[1])).long()
            projections.append(answers.sort(dim=1).values[:, places])
        return projections

    return measure


STATISTICS: dict[str, tuple[Callable[[], Statistic], float]] = {
    "random filters": (random_filters, 3.0),
    "sliced patches": (sliced_patches, 1.0),
}
"""Each with its weight beside the content's."""


def change(photograph: torch.Tensor, painting: torch.Tensor, statistic: Statistic, weight: float) -> torch.Tensor:
    """The photograph, ``float32 [1, 3, H, W]``, 0..1, moved by gradients until its statistics are the painting's."""
    target_statistics = statistic(painting)
    look = torch.randn(32, 3, 5, 5)
    look = (look - look.mean((1, 2, 3), keepdim=True)) / 5
    content = F.relu(F.conv2d(F.avg_pool2d(photograph, 2), look))
    pixels = photograph.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([pixels], lr=0.02)
    for _ in range(STEPS):
        style = sum(
            F.mse_loss(a, b) / b.square().mean() for a, b in zip(statistic(pixels), target_statistics, strict=True)
        ) / len(target_statistics)
        same = F.mse_loss(F.relu(F.conv2d(F.avg_pool2d(pixels, 2), look)), content) / content.square().mean()
        loss = weight * style + 0.2 * same
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    return pixels.detach()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read a painting, change the portrait, write the row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("painting", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("style-statistics.png"))
    args = parser.parse_args(arguments)
    torch.manual_seed(SEED)
    portrait = next(picture for picture in photographs.table() if picture.name == "astronaut")
    shown = [images.fill(photographs.load(portrait), SIDE, SIDE), images.fill(images.read(args.painting), SIDE, SIDE)]
    photograph, painting = (torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255 for picture in shown)
    for kind, weight in STATISTICS.values():
        changed = change(photograph, painting, kind(), weight)
        shown.append(images.to_uint8(255 * changed[0].permute(1, 2, 0).numpy()))
    images.write(args.output, np.concatenate(shown, 1))


if __name__ == "__main__":
    main()
