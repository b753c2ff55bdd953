"""The training of a pack: every style at once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens.models.distill.distillation import Distillation


@dataclass
class PackDistillation(Distillation):
    """A distillation with one dataset for each style; all of them have the same pictures of one side.

    A batch has equally many pictures of each style, so that the norms that the styles share see all of them.
    """

    def batch(self, random: np.random.Generator) -> tuple[int, NDArray[np.int64], torch.Tensor, torch.Tensor]:
        styles, inputs = len(self.datasets), self.datasets[0].inputs
        each = max(1, round(self.pixels / inputs.shape[-1] ** 2 / styles))
        chosen = random.integers(len(inputs), size=each * styles)
        targets = np.stack([self.datasets[i % styles].targets[picture] for i, picture in enumerate(chosen)])
        return 0, chosen, self._tensor(inputs[chosen]), self._tensor(targets)

    def student_output(self, x: torch.Tensor) -> torch.Tensor:
        styles = len(self.datasets)
        style = torch.eye(styles, device=x.device)[torch.arange(len(x)) % styles]
        output: torch.Tensor = self.student(x, style)
        return output / 255
