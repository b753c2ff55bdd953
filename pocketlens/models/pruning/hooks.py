"""Running a module with forward hooks that are removed afterwards."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


def run_with_hooks(module: nn.Module, picture: torch.Tensor, hooks: Sequence[RemovableHandle]) -> None:
    """Run a module on a picture without gradients, and remove the hooks after it, whatever happens.

    Example:
        >>> layer, shapes = nn.Identity(), []
        >>> hook = layer.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape)))
        >>> run_with_hooks(layer, torch.zeros(1, 3, 4, 4), [hook])
        >>> shapes
        [(1, 3, 4, 4)]
    """
    try:
        with torch.no_grad():
            module(picture)
    finally:
        for hook in hooks:
            hook.remove()
