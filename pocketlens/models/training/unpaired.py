"""Two folders of pictures that do not belong together: a generator between them, CycleGAN-style (Zhu et al. 2017).

Two generators translate there and back, two discriminators judge, and whoever goes there and back must come home. A
picture that is already there must stay (identity loss), which keeps colours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.images import Picture
from pocketlens.models.training import losses, pictures
from pocketlens.models.training.discriminator import PatchDiscriminator
from pocketlens.models.training.run import device
from pocketlens.models.training.start import groups


@dataclass
class Unpaired:
    """The training; a :class:`pocketlens.models.training.run.Task`.

    Attributes:
        student: From the first kind of picture to the second; takes and gives ``[N, 3, H, W]``, 0..255.
        back: The other way; it is thrown away in the end.
        first: Pictures of the first kind.
        second: Pictures of the second kind.
        score: Scores a student.
        side: Of a training picture, in pixels.
        batch: Pictures of each kind in an update.
        cycle: Weight of coming home.
        identity: Weight of staying.
    """

    student: nn.Module
    back: nn.Module
    first: Sequence[Picture]
    second: Sequence[Picture]
    score: Callable[[nn.Module, int], dict[str, float]]
    side: int = 128
    batch: int = 4
    cycle: float = 10.0
    identity: float = 3.0

    def __post_init__(self) -> None:
        self._device = device()
        self.modules: dict[str, nn.Module] = {
            "student": self.student, "back": self.back,
            "critic of second": PatchDiscriminator(), "critic of first": PatchDiscriminator(),
        }  # fmt: skip
        for module in self.modules.values():
            module.to(self._device)
        made = [*groups(self.student, 1e-3), *groups(self.back, 1e-3)]
        judging = [w for name, m in self.modules.items() if name.startswith("critic") for w in m.parameters()]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "generators": torch.optim.Adam(made, betas=(0.5, 0.99)),
            "critics": torch.optim.Adam([{"params": judging, "lr": 4e-4, "peak": 4e-4}], betas=(0.5, 0.99)),
        }

    def update(self, step: int, random: np.random.Generator) -> float:
        """Improve both generators, then both discriminators."""
        a, b = self._batch(self.first, random), self._batch(self.second, random)
        there, back = self._play(self.student, a), self._play(self.back, b)
        home, home_too = self._play(self.back, there), self._play(self.student, back)
        deceives = losses.hinge_generator(self._critic("second", there)) + losses.hinge_generator(
            self._critic("first", back)
        )
        cycle = F.l1_loss(home, a) + F.l1_loss(home_too, b)
        stays = F.l1_loss(self._play(self.student, b), b) + F.l1_loss(self._play(self.back, a), a)
        loss = deceives + self.cycle * cycle + self.identity * stays
        self.optimizers["generators"].zero_grad()
        loss.backward()
        self.optimizers["generators"].step()
        judged = losses.hinge_discriminator(self._critic("second", b), self._critic("second", there.detach()))
        judged = judged + losses.hinge_discriminator(self._critic("first", a), self._critic("first", back.detach()))
        self.optimizers["critics"].zero_grad()
        judged.backward()
        self.optimizers["critics"].step()
        return float(loss.detach())

    def judge(self, student: nn.Module, step: int) -> dict[str, float]:
        """Score a student."""
        return self.score(student, step)

    def _critic(self, kind: str, pixels: torch.Tensor) -> torch.Tensor:
        judged: torch.Tensor = self.modules[f"critic of {kind}"](2 * pixels - 1)
        return judged

    def _play(self, generator: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        given: torch.Tensor = generator(255 * pixels)
        return given / 255

    def _batch(self, shown: Sequence[Picture], random: np.random.Generator) -> torch.Tensor:
        pieces = np.stack([pictures.crop(shown, self.side, random) for _ in range(self.batch)])
        return torch.from_numpy(pieces.transpose(0, 3, 1, 2).copy()).to(self._device).float() / 255
