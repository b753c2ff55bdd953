"""The initial weights of a pocket generator, and the learning rates of its parts."""

from typing import Any

from torch import nn

from pocketlens.models.pocket import Pocket

_HEAD = 25.0
"""Factor on the learning rate of a head that turns values around 1 into 0..255."""
_RANGES = 10.0
"""The same of the ranges of quantization-aware training: a layer has thousands of weights, and one range."""


def initial_pocket(**arguments: int) -> Pocket:
    """A generator that gives its input unchanged, or grey if it paints a picture of its own.

    Example:
        >>> import torch
        >>> picture = torch.rand(1, 3, 8, 8) * 255
        >>> bool((initial_pocket().eval()(picture) == picture).all())
        True
    """
    pocket = Pocket(**arguments)
    nn.init.zeros_(pocket.head.weight)
    if pocket.head.bias is not None:
        nn.init.zeros_(pocket.head.bias)
    return pocket


def parameter_groups(module: nn.Module, peak: float) -> list[dict[str, Any]]:
    """Parameter groups with their highest learning rate.

    The head of a generator that adds to the picture learns faster, and so do ranges that are trained.
    """
    groups = []
    for name, weight in module.named_parameters():
        is_head = isinstance(module, Pocket) and not module.repaint and name.startswith("head.")
        highest = peak * (_HEAD if is_head else _RANGES if name.endswith("rounded.stretch") else 1.0)
        groups.append({"params": [weight], "lr": highest, "peak": highest})
    return groups
