"""The training of a pack: every style at once, or some without touching the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens.models.distill.distillation import Distillation


@dataclass
class PackDistillation(Distillation):
    """A distillation with one dataset for each style that is trained, all of pictures of one side.

    A batch has equally many pictures of each style, so that the norms that the styles share see all of them.

    Attributes:
        rows: The numbers of the styles in the pack, one for each dataset. Without them all styles are trained, and the
            weights that they share; with them only these styles' own numbers, the rows of ``student.table``: all that
            the other styles read stays the same to the bit.
    """

    rows: Sequence[int] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        table = self.student.get_parameter("table")
        self._styles = torch.eye(len(table), device=self._device)[list(self.rows) or slice(None)]
        if not self.rows:
            return
        self.student.requires_grad_(False)
        table.requires_grad_(True)
        others = (self._styles.sum(0) == 0)[:, None]
        table.register_hook(lambda gradient: gradient.masked_fill(others, 0))
        self.optimizers["student"] = torch.optim.Adam([{"params": [table], "lr": self.peak, "peak": self.peak}])

    def batch(self, random: np.random.Generator) -> tuple[int, NDArray[np.int64], torch.Tensor, torch.Tensor]:
        each = max(1, round(self.pixels / self.datasets[0].inputs.shape[-1] ** 2 / len(self.datasets)))
        chosen = np.stack([random.integers(len(dataset.inputs), size=each) for dataset in self.datasets], 1)
        inputs = [self.datasets[style].inputs[picture] for row in chosen for style, picture in enumerate(row)]
        targets = [self.datasets[style].targets[picture] for row in chosen for style, picture in enumerate(row)]
        return 0, chosen, self._tensor(np.stack(inputs)), self._tensor(np.stack(targets))

    def student_output(self, x: torch.Tensor) -> torch.Tensor:
        if self.rows:
            self.student.eval()  # the statistics of norms that all styles share stay
        output: torch.Tensor = self.student(x, self._styles[torch.arange(len(x)) % len(self._styles)])
        return output / 255
