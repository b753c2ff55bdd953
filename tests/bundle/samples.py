"""A generator that is quick to export, and what a bundle's spec says of an artifact of it."""

from pathlib import Path

import torch
from torch import nn

from pocketlens.bundle.manifest import GateResult, Proof
from pocketlens.bundle.spec import ArtifactEntry
from pocketlens.quality import Scores
from pocketlens.targets import ArtifactSpec

SIZE = (48, 64)


class Tint(nn.Module):
    """A blur that also turns the colours, so that swapped channels show."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        with torch.no_grad():
            self.conv.weight.mul_(0.2)
            self.conv.weight[:, :, 1, 1] += torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.6, 0.2], [0.1, 0.0, 0.3]])
            self.conv.bias.copy_(torch.tensor([30.0, 0.0, 10.0]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image)


def artifact_entry(emitted: Path, target: str, precision: str = "fp32") -> ArtifactEntry:
    spec = ArtifactSpec(target, precision, SIZE)
    return ArtifactEntry(
        file=emitted / f"model{spec.format.suffix}",
        spec=spec,
        scores=Scores(90.25, 0.9999, 0.5),
        verified_with=Proof(spec.format.runtimes[-1], "1.0", "fp32"),
        golden_psnr=45.0,
        gates=(GateResult("ssim", 0.95, 0.9999, "pass"),),
    )
