"""The generators that benchmarks run: real checkpoints, and every architecture with weights that follow a rule."""

import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from pocketlens.converters.ranges import Ranges
from pocketlens.models import zoo


def generator(name: str) -> tuple[nn.Module, Ranges]:
    """A fast-style checkpoint by its path, a filter that ships as ``builtin:NAME``, or an architecture by its name with
    weights that follow :func:`rule`.
    """
    if name.startswith("builtin:"):
        from pocketlens.models.source import resolve

        source = resolve(name, base=Path())
        return source.load(), source.ranges
    if Path(name).suffix == ".npz":
        from pocketlens.models import checkpoint

        return checkpoint.load(Path(name), "fast-style").eval(), zoo.architecture("fast-style").ranges
    kind = zoo.architecture(name)
    module = kind.generator_class()().eval()
    module.load_state_dict({key: rule(key, value) for key, value in module.state_dict().items()})
    return module, kind.ranges


def rule(key: str, value: torch.Tensor) -> torch.Tensor:
    """The weights that the reference outputs were made with: from the key alone, so that they need not be stored."""
    if not value.is_floating_point():
        return torch.zeros_like(value)
    weights = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(tuple(value.shape)).astype(np.float32)
    if key.endswith("running_var"):
        weights = 1 + 0.1 * np.abs(weights)
    elif weights.ndim > 1:
        weights = weights / np.float32(np.sqrt(np.prod(weights.shape[1:])))
    elif key.endswith("weight"):
        weights = 1 + 0.1 * weights
    else:
        weights = 0.1 * weights
    return torch.from_numpy(np.asarray(weights, np.float32))


def make_weights(folder: Path) -> None:
    """Write the weights that follow the rule, of every architecture that has none there."""
    for architecture in zoo.ARCHITECTURES:
        path = folder / f"{architecture}.safetensors"
        if not path.exists() and architecture != "fast-style":  # trained ones of it are at hand
            folder.mkdir(parents=True, exist_ok=True)
            module, _ = generator(architecture)
            save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)


class Pixels(nn.Module):
    """A generator with its range folded in by hand: 0..255 in and out, what the peers are given."""

    def __init__(self, module: nn.Module, ranges: Ranges) -> None:
        super().__init__()
        self.module, self.ranges = module, ranges

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (low, high), (least, most) = self.ranges.input, self.ranges.output
        if (low, high) != (0.0, 255.0):
            x = x * ((high - low) / 255) + low
        y = self.module(x)
        return y if (least, most) == (0.0, 255.0) else (y - least) * (255 / (most - least))
