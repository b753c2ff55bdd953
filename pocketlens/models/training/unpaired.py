"""Two folders of pictures that do not belong together: a generator between them, CycleGAN-style (Zhu et al. 2017).

Two generators translate in both directions, and two discriminators judge their pictures. A picture that is translated
in both directions must become itself again (cycle loss). A picture that is of the second kind already must stay as it
is (identity loss), which keeps colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.images import Picture
from pocketlens.models.training import losses
from pocketlens.models.training.discriminator import PatchDiscriminator
from pocketlens.models.training.loop import Scorer, device
from pocketlens.models.training.pictures import random_crop
from pocketlens.models.training.pocket_init import parameter_groups


@dataclass
class UnpairedTranslation:
    """The training; a :class:`pocketlens.models.training.loop.TrainingTask`.

    Attributes:
        student: From the first kind of picture to the second; ``[N, 3, H, W]``, 0..255.
        back: From the second kind to the first; it is not kept.
        first: Pictures of the first kind.
        second: Pictures of the second kind.
        score: Scores a student.
        side: Of a training picture, in pixels.
        batch: Pictures of each kind in an update.
        cycle: Weight of the cycle loss.
        identity: Weight of the identity loss.
    """

    student: nn.Module
    back: nn.Module
    first: Sequence[Picture]
    second: Sequence[Picture]
    score: Scorer
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
        generators = [*parameter_groups(self.student, 1e-3), *parameter_groups(self.back, 1e-3)]
        critics = [w for name, m in self.modules.items() if name.startswith("critic") for w in m.parameters()]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "generators": torch.optim.Adam(generators, betas=(0.5, 0.99)),
            "critics": torch.optim.Adam([{"params": critics, "lr": 4e-4, "peak": 4e-4}], betas=(0.5, 0.99)),
        }

    def update(self, step: int, random: np.random.Generator) -> float:
        """Improve both generators, then both discriminators."""
        a, b = self._batch(self.first, random), self._batch(self.second, random)
        fake_b, fake_a = self._translate(self.student, a), self._translate(self.back, b)
        cycled_a, cycled_b = self._translate(self.back, fake_b), self._translate(self.student, fake_a)
        adversarial = losses.hinge_generator(self._criticize("second", fake_b)) + losses.hinge_generator(
            self._criticize("first", fake_a)
        )
        cycle = F.l1_loss(cycled_a, a) + F.l1_loss(cycled_b, b)
        identity = F.l1_loss(self._translate(self.student, b), b) + F.l1_loss(self._translate(self.back, a), a)
        loss = adversarial + self.cycle * cycle + self.identity * identity
        self.optimizers["generators"].zero_grad()
        loss.backward()
        self.optimizers["generators"].step()
        critic_loss = losses.hinge_discriminator(
            self._criticize("second", b), self._criticize("second", fake_b.detach())
        )
        critic_loss = critic_loss + losses.hinge_discriminator(
            self._criticize("first", a), self._criticize("first", fake_a.detach())
        )
        self.optimizers["critics"].zero_grad()
        critic_loss.backward()
        self.optimizers["critics"].step()
        return float(loss.detach())

    def _criticize(self, kind: str, pixels: torch.Tensor) -> torch.Tensor:
        verdicts: torch.Tensor = self.modules[f"critic of {kind}"](2 * pixels - 1)
        return verdicts

    def _translate(self, generator: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = generator(255 * pixels)
        return output / 255

    def _batch(self, pictures: Sequence[Picture], random: np.random.Generator) -> torch.Tensor:
        crops = np.stack([random_crop(pictures, self.side, random) for _ in range(self.batch)])
        return torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).to(self._device).float() / 255
