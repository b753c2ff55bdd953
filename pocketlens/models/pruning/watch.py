"""Looking into a module while it plays a picture."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


def play(module: nn.Module, picture: torch.Tensor, hooks: Sequence[RemovableHandle]) -> None:
    """Play a picture without gradients, and take the hooks away after it, whatever happens.

    Example:
        >>> layer, seen = nn.Identity(), []
        >>> hook = layer.register_forward_hook(lambda _, __, output: seen.append(tuple(output.shape)))
        >>> play(layer, torch.zeros(1, 3, 4, 4), [hook])
        >>> seen
        [(1, 3, 4, 4)]
    """
    try:
        with torch.no_grad():
            module(picture)
    finally:
        for hook in hooks:
            hook.remove()
