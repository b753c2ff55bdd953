"""How a pocket generator starts, and how fast its parts learn."""

from typing import Any

from torch import nn

from pocketlens.models.pocket import Pocket

_HEAD = 25.0
"""Factor on the learning rate of a head that turns values around 1 into 0..255."""
_RANGES = 10.0
"""The same of the ranges of quantization-aware training: a weight is one of thousands, a range is alone."""


def fresh(**arguments: int) -> Pocket:
    """A generator that gives what it takes, or grey if it paints a picture of its own.

    Example:
        >>> import torch
        >>> picture = torch.rand(1, 3, 8, 8) * 255
        >>> bool((fresh().eval()(picture) == picture).all())
        True
    """
    made = Pocket(**arguments)
    nn.init.zeros_(made.head.weight)
    if made.head.bias is not None:
        nn.init.zeros_(made.head.bias)
    return made


def groups(module: nn.Module, peak: float) -> list[dict[str, Any]]:
    """Parameter groups with their highest learning rate.

    The head of a generator that adds to the picture learns faster, and so do ranges that are trained.
    """
    found = []
    for name, weight in module.named_parameters():
        hurried = isinstance(module, Pocket) and not module.repaint and name.startswith("head.")
        own = peak * (_HEAD if hurried else _RANGES if name.endswith("rounded.stretch") else 1.0)
        found.append({"params": [weight], "lr": own, "peak": own})
    return found
