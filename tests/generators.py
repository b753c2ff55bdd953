"""Small generators that tests build graphs from."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

from pocketlens.converters.ranges import Ranges
from pocketlens.models.export import export
from pocketlens.models.fast_style import FastStyle

SIGNED = Ranges((-1.0, 1.0), (-1.0, 1.0))


class Small(nn.Module):
    """Most of what generators are made of, in 2,000 weights: -1..1 in and out."""

    input_range = (-1.0, 1.0)
    output_range = (-1.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = nn.InstanceNorm2d(8, affine=True)
        self.middle = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.up = nn.ConvTranspose2d(8, 8, 3, 2)
        self.last = nn.Conv2d(8, 3, 5, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.down(x)))
        x = x + self.middle(x)
        return torch.tanh(self.last(torch.relu(self.up(x)[:, :, :-1, :-1])))


def seeded(kind: type[nn.Module] = Small, seed: int = 0) -> nn.Module:
    """A generator with random weights that are the same every time, batch-norm statistics included."""
    torch.manual_seed(seed)
    module = kind().eval()
    for name, value in module.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif "norm" in name and value.is_floating_point():
            value.add_(torch.randn_like(value) * 0.2)
    return module


def small_graph(height: int = 32, width: int = 48, seed: int = 0) -> ir.Model:
    return export(seeded(seed=seed), height, width, SIGNED)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with edges and a little noise: unlike noise alone, it drives every channel of a generator."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    phase = rng.uniform(0, 6, 3)
    waves = np.stack([np.sin(x / (7 + 3 * c) + phase[c]) * np.cos(y / (11 - 2 * c)) for c in range(3)], -1)
    edges = ((x // 16 + y // 12) % 2)[..., None] * 60
    return np.clip(110 + 80 * waves + edges + rng.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def fast_style(checkpoint: Path) -> FastStyle:
    """A real trained generator."""
    module = FastStyle().eval()
    with np.load(checkpoint, allow_pickle=False) as arrays:
        module.load_state_dict(FastStyle.convert_weights(dict(arrays)))
    return module
