"""Where a generator thinks: the last layer whose output is at a quarter of the picture's size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

QUARTER = 4


def quarter_layer(module: nn.Module, side: int = 64) -> str:
    """The name of the last layer that gives ``[N, C, H/4, W/4]``, in the order in which layers finish; ``""`` if none does.

    Example:
        >>> from pocketlens.models.fast_style import FastStyle
        >>> quarter_layer(FastStyle())
        'blocks.4'
    """
    found = ""
    hooks = []

    def note(name: str) -> object:
        def look(_: nn.Module, __: object, given: object) -> None:
            nonlocal found
            if isinstance(given, torch.Tensor) and given.ndim == 4 and given.shape[-1] == side // QUARTER:
                found = name

        return look

    for name, layer in module.named_modules():
        if name:
            hooks.append(layer.register_forward_hook(note(name)))
    first = next(module.parameters(), torch.zeros(()))
    trained = module.training
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, 3, side, side, device=first.device))
    finally:
        module.train(trained)
        for hook in hooks:
            hook.remove()
    return found


@contextmanager
def listening(module: nn.Module, *names: str) -> Iterator[dict[str, torch.Tensor]]:
    """While the block runs, the dictionary holds what the named layers gave last, by name."""
    heard: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def look(_: nn.Module, __: object, given: torch.Tensor) -> None:
            heard[name] = given

        return look

    hooks = [module.get_submodule(name).register_forward_hook(keep(name)) for name in names if name]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()
