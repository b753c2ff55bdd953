"""The training of a pack: every style at once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens.models.distill.task import Distillation


@dataclass
class Pack(Distillation):
    """A distillation whose answers are one entry a style, all about the same pictures of one side.

    A batch has as many pictures in each style, so that the norms that they share see all of them.
    """

    def batch(self, random: np.random.Generator) -> tuple[int, NDArray[np.int64], torch.Tensor, torch.Tensor]:
        styles, taken = len(self.answers), self.answers[0].taken
        each = max(1, round(self.pixels / taken.shape[-1] ** 2 / styles))
        chosen = random.integers(len(taken), size=each * styles)
        wanted = np.stack([self.answers[i % styles].given[picture] for i, picture in enumerate(chosen)])
        return 0, chosen, self._tensor(taken[chosen]), self._tensor(wanted)

    def drawn(self, x: torch.Tensor) -> torch.Tensor:
        styles = len(self.answers)
        style = torch.eye(styles, device=x.device)[torch.arange(len(x)) % styles]
        found: torch.Tensor = self.student(x, style)
        return found / 255
