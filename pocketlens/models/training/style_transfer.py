"""One style picture into a feed-forward generator: perceptual losses (Johnson, Alahi and Li 2016)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.models.training.loop import Scorer, device
from pocketlens.models.training.pictures import random_crop
from pocketlens.models.training.pocket_init import parameter_groups

_CONTENT = 1
"""The features that must stay as they are: relu2_2 of VGG."""


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
class StyleTransfer:
    """The training; a :class:`pocketlens.models.training.loop.TrainingTask`.

    Attributes:
        student: From ``[N, 3, H, W]``, 0..255, to the same.
        extractor: Gives features of pictures of 0..1, from fine to coarse.
        style: The style picture.
        pictures: Pictures to stylize.
        score: Scores a student.
        side: Of a training picture, in pixels.
        batch: Pictures in an update.
        strength: Weight of the style; the content's is 1.
    """

    student: nn.Module
    extractor: nn.Module
    style: Picture
    pictures: Sequence[Picture]
    score: Scorer
    side: int = 192
    batch: int = 2
    strength: float = 1e4

    def __post_init__(self) -> None:
        self._device = device()
        self.student.to(self._device)
        self.extractor.to(self._device)
        self.modules: dict[str, nn.Module] = {"student": self.student}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "student": torch.optim.Adam(parameter_groups(self.student, 2e-3))
        }
        scale = 256 / min(self.style.shape[:2])
        height, width = (round(edge * scale) for edge in self.style.shape[:2])
        with torch.no_grad():
            self._style_grams = [
                gram(features)
                for features in self.extractor(self._planar(images.resize(self.style, height, width)[None]))
            ]

    def update(self, step: int, random: np.random.Generator) -> float:
        """Draw a batch, and bring the Gram matrices of its features nearer to the style's."""
        x = self._planar(np.stack([random_crop(self.pictures, self.side, random) for _ in range(self.batch)]))
        output = self.student(255 * x) / 255
        features = self.extractor(output)
        with torch.no_grad():
            content = self.extractor(x)[_CONTENT]
        style = sum(
            (
                F.mse_loss(gram(maps), target.expand(len(x), -1, -1))
                for maps, target in zip(features, self._style_grams, strict=True)
            ),
            torch.zeros((), device=self._device),
        )
        smooth = output.diff(dim=2).abs().mean() + output.diff(dim=3).abs().mean()
        loss = F.mse_loss(features[_CONTENT], content) + self.strength * style + 0.05 * smooth
        self.optimizers["student"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizers["student"].step()
        return float(loss.detach())

    def _planar(self, pixels: Picture) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(self._device).float() / 255
