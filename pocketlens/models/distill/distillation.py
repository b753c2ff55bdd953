"""Distillation: a student is trained to give its teacher's outputs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from pocketlens.converters.ranges import Ranges
from pocketlens.models.distill.dataset import DistillationDataset
from pocketlens.models.distill.features import capture_outputs
from pocketlens.models.distill.hints import Hint, subsample
from pocketlens.models.training import losses
from pocketlens.models.training.discriminator import PatchDiscriminator
from pocketlens.models.training.loop import Scorer, device, use_bf16
from pocketlens.models.training.pocket_init import parameter_groups


@dataclass(frozen=True)
class LossWeights:
    """The weights of a distillation's losses; 0 leaves a loss out.

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
    """The training of a student; a :class:`pocketlens.models.training.loop.TrainingTask`.

    Attributes:
        student: From ``[N, 3, H, W]`` to the same.
        datasets: The teacher's outputs, one dataset for each size of pictures.
        score: Scores a student.
        weights: The weights of the losses.
        pixels: Pixels in a batch: the number of pictures is the one that comes nearest.
        peak: The highest learning rate.
        ranges: The student's value ranges, where they are not 0..255.
        hints: Targets for the student's inner layers.
        use_bf16: Multiply in bfloat16, forwards and backwards; weights, norms and losses stay float32.
    """

    student: nn.Module
    datasets: Sequence[DistillationDataset]
    score: Scorer
    weights: LossWeights = field(default_factory=LossWeights)
    pixels: int = 4 * 192 * 192
    peak: float = 2e-3
    ranges: Ranges = field(default_factory=Ranges)
    hints: Sequence[Hint] = ()
    use_bf16: bool = field(default_factory=use_bf16)

    def __post_init__(self) -> None:
        self._device = device()
        self.student.to(self._device)
        self.modules: dict[str, nn.Module] = {"student": self.student}
        groups = parameter_groups(self.student, self.peak)
        self._adapters: dict[str, nn.Module] = {}
        for hint in self.hints:
            if hint.scale is None:
                adapter = self._adapter(hint).to(self._device)
                self._adapters[hint.layer] = self.modules["adapter"] = adapter
                groups.append({"params": list(adapter.parameters()), "lr": self.peak, "peak": self.peak})
            else:
                self._adapters[hint.layer] = _ChannelScale(hint.scale).to(self._device)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"student": torch.optim.Adam(groups, fused=True)}
        if self.weights.adversarial:
            critic = PatchDiscriminator().to(self._device)
            self.modules["critic"] = critic
            adam = torch.optim.Adam([{"params": critic.parameters(), "lr": 4e-4, "peak": 4e-4}], betas=(0.5, 0.99))
            self.optimizers["critic"] = adam
        counts = np.array([len(dataset.inputs) for dataset in self.datasets], np.float64)
        self._probabilities = counts / counts.sum()

    def _adapter(self, hint: Hint) -> nn.Module:
        with capture_outputs(self.student, hint.layer) as captured, torch.no_grad():
            self.student.eval()(torch.zeros(1, 3, 64, 64, device=self._device))
        return nn.Conv2d(captured[hint.layer].shape[1], hint.targets[0].shape[1], 1)

    def update(self, step: int, random: np.random.Generator) -> float:
        """Draw a batch of one size, and improve the student (and its critic)."""
        which, chosen, x, target = self.batch(random)
        autocast = torch.autocast(self._device.type, torch.bfloat16, enabled=self.use_bf16)
        with capture_outputs(self.student, *self._adapters) as captured, autocast:
            output = self.student_output(x).float()
        loss = self.loss(output, target / 255)
        for hint in self.hints:
            hint_target = self._tensor(hint.targets[which][chosen])
            features = subsample(captured[hint.layer], *hint_target.shape[-2:]).float()
            adapted = self._adapters[hint.layer](features)
            loss = loss + self.weights.features / len(self.hints) * F.l1_loss(adapted, hint_target)
        if self.weights.adversarial:
            loss = loss + self.weights.adversarial * losses.hinge_generator(self._criticize(output))
        self.optimizers["student"].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizers["student"].step()
        if self.weights.adversarial:
            real, fake = self._criticize(target / 255), self._criticize(output.detach())
            self.optimizers["critic"].zero_grad()
            losses.hinge_discriminator(real, fake).backward()
            self.optimizers["critic"].step()
        return float(loss.detach())

    def batch(self, random: np.random.Generator) -> tuple[int, NDArray[np.int64], torch.Tensor, torch.Tensor]:
        """The number of a dataset, which of its pictures, these pictures, and what they should become; both 0..255."""
        which = int(random.choice(len(self.datasets), p=self._probabilities))
        dataset = self.datasets[which]
        count = max(1, round(self.pixels / dataset.inputs.shape[-1] ** 2))
        chosen = random.integers(len(dataset.inputs), size=count)
        return which, chosen, self._tensor(dataset.inputs[chosen]), self._tensor(dataset.targets[chosen])

    def student_output(self, x: torch.Tensor) -> torch.Tensor:
        """What the student makes of a batch, 0..1."""
        return run_student(self.student, x, self.ranges)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The weighted losses on pixels, 0..1."""
        weights = self.weights
        total = weights.pixel * F.l1_loss(output, target)
        if weights.ssim:
            total = total + weights.ssim * (1 - losses.multi_scale_ssim(output, target))
        if weights.gradient:
            total = total + weights.gradient * losses.gradient(output, target)
        if weights.frequency:
            total = total + weights.frequency * losses.frequency(output, target)
        return total

    def _criticize(self, pixels: torch.Tensor) -> torch.Tensor:
        verdicts: torch.Tensor = self.modules["critic"](2 * pixels - 1)
        return verdicts

    def _tensor(self, values: NDArray[np.uint8] | NDArray[np.float16]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device).float()


class _ChannelScale(nn.Module):
    """Multiplies each channel with a constant."""

    def __init__(self, scale: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("scale", torch.from_numpy(scale)[:, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.get_buffer("scale")


def run_student(student: nn.Module, pixels: torch.Tensor, ranges: Ranges) -> torch.Tensor:
    """A student's outputs, 0..1 and not clamped, for pictures of 0..255."""
    (low, high), (dark, bright) = ranges.input, ranges.output
    output: torch.Tensor = student(pixels * ((high - low) / 255) + low)
    return (output - dark) / (bright - dark)
