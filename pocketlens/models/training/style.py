"""One style picture into a feed-forward generator: perceptual losses (Johnson, Alahi and Li 2016)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.models.training import pictures
from pocketlens.models.training.run import device
from pocketlens.models.training.start import groups

_CONTENT = 1
"""The feature that must stay: relu2_2 of VGG."""


def gram(features: torch.Tensor) -> torch.Tensor:
    """Which features come together, ``[N, C, C]``, a mean over positions and channels (Gatys et al. 2015).

    Example:
        >>> gram(torch.ones(1, 2, 4, 4))
        tensor([[[0.5000, 0.5000],
                 [0.5000, 0.5000]]])
    """
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    product: torch.Tensor = flat @ flat.transpose(1, 2) / (c * h * w)
    return product


@dataclass
class Styling:
    """The training; a :class:`pocketlens.models.training.run.Task`.

    Attributes:
        student: Takes and gives ``[N, 3, H, W]``, 0..255.
        see: Gives features of pictures of 0..1, from fine to coarse.
        style: The style picture.
        shown: Pictures to stylize.
        score: Scores a student.
        side: Of a training picture, in pixels.
        batch: Pictures in an update.
        strength: Weight of the style; the content's is 1.
    """

    student: nn.Module
    see: nn.Module
    style: Picture
    shown: Sequence[Picture]
    score: Callable[[nn.Module, int], dict[str, float]]
    side: int = 192
    batch: int = 2
    strength: float = 1e4

    def __post_init__(self) -> None:
        self._device = device()
        self.student.to(self._device)
        self.see.to(self._device)
        self.modules: dict[str, nn.Module] = {"student": self.student}
        self.optimizers: dict[str, torch.optim.Optimizer] = {"student": torch.optim.Adam(groups(self.student, 2e-3))}
        scale = 256 / min(self.style.shape[:2])
        height, width = (round(edge * scale) for edge in self.style.shape[:2])
        with torch.no_grad():
            self._wanted = [gram(one) for one in self.see(self._planar(images.resize(self.style, height, width)[None]))]

    def update(self, step: int, random: np.random.Generator) -> float:
        """Draw a batch, and bring its features' products nearer to the style's."""
        x = self._planar(np.stack([pictures.crop(self.shown, self.side, random) for _ in range(self.batch)]))
        made = self.student(255 * x) / 255
        found = self.see(made)
        with torch.no_grad():
            kept = self.see(x)[_CONTENT]
        style = sum(
            (
                F.mse_loss(gram(one), wanted.expand(len(x), -1, -1))
                for one, wanted in zip(found, self._wanted, strict=True)
            ),
            torch.zeros((), device=self._device),
        )
        smooth = made.diff(dim=2).abs().mean() + made.diff(dim=3).abs().mean()
        loss = F.mse_loss(found[_CONTENT], kept) + self.strength * style + 0.05 * smooth
        self.optimizers["student"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizers["student"].step()
        return float(loss.detach())

    def judge(self, student: nn.Module, step: int) -> dict[str, float]:
        """Score a student."""
        return self.score(student, step)

    def _planar(self, shown: Picture) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(shown.transpose(0, 3, 1, 2))).to(self._device).float() / 255
