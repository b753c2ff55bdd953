"""A running average of a module's weights (EMA), which is what a training ships: it is steadier than the last step."""

import copy

import torch
from torch import nn


class ModelEma:
    """Keeps the average of a module's weights and statistics.

    Args:
        module: What is trained; its average starts as a copy of it.
        decay: The share of the average that stays at each update. Early on it is lower, so that the random start is
            forgotten: ``min(decay, (1 + n) / (10 + n))`` at update ``n``.

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.zeros_(layer.weight)
        >>> ema = ModelEma(layer)
        >>> _ = nn.init.ones_(layer.weight)
        >>> ema.update(0)
        >>> round(float(ema.module.weight), 2)
        0.9
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self._trained = module

    def update(self, number: int) -> None:
        """Move the average towards the module's weights after update ``number`` (from 0)."""
        decay = min(self.decay, (1 + number) / (10 + number))
        trained = self._trained.state_dict()
        with torch.no_grad():
            for name, value in self.module.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(trained[name], 1 - decay)
                else:
                    value.copy_(trained[name])
