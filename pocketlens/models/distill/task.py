"""One update of a distillation, and how a student is judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from pocketlens.converters.ranges import Ranges
from pocketlens.models.distill.answers import Answers
from pocketlens.models.distill.features import listening
from pocketlens.models.distill.hints import Hint, sampled
from pocketlens.models.training import losses
from pocketlens.models.training.discriminator import PatchDiscriminator
from pocketlens.models.training.run import device, lean
from pocketlens.models.training.start import groups

Judge = Callable[[nn.Module, int], dict[str, float]]
"""Scores a student in eval mode after a number of steps."""


@dataclass(frozen=True)
class Weights:
    """What counts how much in a distillation; 0 leaves a loss out.

    Attributes:
        pixel: Mean difference of values.
        ssim: Multi-scale structural similarity.
        gradient: Mean difference of neighbours' differences.
        frequency: Mean difference of Fourier coefficients.
        features: The teacher's features, the mean over the hints.
        adversarial: A discriminator that tells the teacher's pictures from the student's.
    """

    pixel: float = 1.0
    ssim: float = 2.0
    gradient: float = 0.5
    frequency: float = 0.1
    features: float = 0.05
    adversarial: float = 0.0


@dataclass
class Distillation:
    """The training of a student; a :class:`pocketlens.models.training.run.Task`.

    Attributes:
        student: Takes and gives ``[N, 3, H, W]``.
        answers: What the teacher said.
        judge: See :data:`Judge`.
        weights: What counts how much.
        pixels: Pixels in a batch: as many pictures of a side are taken as come nearest.
        peak: The highest learning rate.
        ranges: What the student takes and gives, where that is not 0..255.
        hints: What the student's layers should give.
        bfloat16: Multiply in bfloat16 on the way forth and back; weights, norms and losses stay float32.
    """

    student: nn.Module
    answers: Sequence[Answers]
    judge: Judge
    weights: Weights = field(default_factory=Weights)
    pixels: int = 4 * 192 * 192
    peak: float = 2e-3
    ranges: Ranges = field(default_factory=Ranges)
    hints: Sequence[Hint] = ()
    bfloat16: bool = field(default_factory=lean)

    def __post_init__(self) -> None:
        self._device = device()
        self.student.to(self._device)
        self.modules: dict[str, nn.Module] = {"student": self.student}
        learning = groups(self.student, self.peak)
        self._adapters: dict[str, nn.Module] = {}
        for hint in self.hints:
            if hint.scale is None:
                adapter = self._adapter(hint).to(self._device)
                self._adapters[hint.layer] = self.modules["adapter"] = adapter
                learning.append({"params": list(adapter.parameters()), "lr": self.peak, "peak": self.peak})
            else:
                self._adapters[hint.layer] = _Scaled(hint.scale).to(self._device)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"student": torch.optim.Adam(learning, fused=True)}
        if self.weights.adversarial:
            critic = PatchDiscriminator().to(self._device)
            self.modules["critic"] = critic
            adam = torch.optim.Adam([{"params": critic.parameters(), "lr": 4e-4, "peak": 4e-4}], betas=(0.5, 0.99))
            self.optimizers["critic"] = adam
        counts = np.array([len(one.taken) for one in self.answers], np.float64)
        self._chances = counts / counts.sum()

    def _adapter(self, hint: Hint) -> nn.Module:
        with listening(self.student, hint.layer) as heard, torch.no_grad():
            self.student.eval()(torch.zeros(1, 3, 64, 64, device=self._device))
        return nn.Conv2d(heard[hint.layer].shape[1], hint.wanted[0].shape[1], 1)

    def update(self, step: int, random: np.random.Generator) -> float:
        """Draw a batch of one size, and improve the student (and its critic)."""
        which, chosen, x, wanted = self.batch(random)
        narrow = torch.autocast(self._device.type, torch.bfloat16, enabled=self.bfloat16)
        with listening(self.student, *self._adapters) as heard, narrow:
            found = self.drawn(x).float()
        loss = self.loss(found, wanted / 255)
        for hint in self.hints:
            thought = self._tensor(hint.wanted[which][chosen])
            given = self._adapters[hint.layer](sampled(heard[hint.layer], *thought.shape[-2:]).float())
            loss = loss + self.weights.features / len(self.hints) * F.l1_loss(given, thought)
        if self.weights.adversarial:
            loss = loss + self.weights.adversarial * losses.hinge_generator(self._criticize(found))
        self.optimizers["student"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizers["student"].step()
        if self.weights.adversarial:
            real, made = self._criticize(wanted / 255), self._criticize(found.detach())
            self.optimizers["critic"].zero_grad()
            losses.hinge_discriminator(real, made).backward()
            self.optimizers["critic"].step()
        return float(loss.detach())

    def batch(self, random: np.random.Generator) -> tuple[int, NDArray[np.int64], torch.Tensor, torch.Tensor]:
        """Which of the answers, which pictures of them, the pictures, and what they should become; both 0..255."""
        which = int(random.choice(len(self.answers), p=self._chances))
        answers = self.answers[which]
        count = max(1, round(self.pixels / answers.taken.shape[-1] ** 2))
        chosen = random.integers(len(answers.taken), size=count)
        x, wanted = (self._tensor(of[chosen]) for of in (answers.taken, answers.given))
        return which, chosen, x, wanted

    def drawn(self, x: torch.Tensor) -> torch.Tensor:
        """What the student makes of a batch, 0..1."""
        return play(self.student, x, self.ranges)

    def loss(self, found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """The weighted losses on pixels, 0..1."""
        weights = self.weights
        total = weights.pixel * F.l1_loss(found, wanted)
        if weights.ssim:
            total = total + weights.ssim * (1 - losses.multi_scale_ssim(found, wanted))
        if weights.gradient:
            total = total + weights.gradient * losses.gradient(found, wanted)
        if weights.frequency:
            total = total + weights.frequency * losses.frequency(found, wanted)
        return total

    def _criticize(self, pixels: torch.Tensor) -> torch.Tensor:
        judged: torch.Tensor = self.modules["critic"](2 * pixels - 1)
        return judged

    def _tensor(self, values: NDArray[np.uint8] | NDArray[np.float16]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device).float()


class _Scaled(nn.Module):
    """Multiplies each channel with a constant."""

    def __init__(self, scale: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("scale", torch.from_numpy(scale)[:, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.get_buffer("scale")


def play(student: nn.Module, pixels: torch.Tensor, ranges: Ranges) -> torch.Tensor:
    """A student's pictures, 0..1 and not clamped, for pictures of 0..255."""
    (low, high), (dark, bright) = ranges.taken, ranges.given
    given: torch.Tensor = student(pixels * ((high - low) / 255) + low)
    return (given - dark) / (bright - dark)
