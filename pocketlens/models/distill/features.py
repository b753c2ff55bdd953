"""Feature maps of a generator: which layer gives them at a quarter of the picture's size, and how they are captured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

QUARTER = 4


def quarter_layer(module: nn.Module, side: int = 64) -> str:
    """The name of the last layer that gives ``[N, C, H/4, W/4]``, in the order in which layers finish; ``""`` if none
    does.

    Example:
        >>> from pocketlens.models.fast_style import FastStyle
        >>> quarter_layer(FastStyle())
        'blocks.4'
    """
    last = ""
    hooks = []

    def remember(name: str) -> object:
        def hook(_: nn.Module, __: object, output: object) -> None:
            nonlocal last
            if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[-1] == side // QUARTER:
                last = name

        return hook

    for name, layer in module.named_modules():
        if name:
            hooks.append(layer.register_forward_hook(remember(name)))
    parameter = next(module.parameters(), torch.zeros(()))
    training = module.training
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, 3, side, side, device=parameter.device))
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return last


@contextmanager
def capture_outputs(module: nn.Module, *names: str) -> Iterator[dict[str, torch.Tensor]]:
    """While the block runs, the dictionary holds the newest output of each named layer, by the layer's name."""
    captured: dict[str, torch.Tensor] = {}

    def capture(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def hook(_: nn.Module, __: object, output: torch.Tensor) -> None:
            captured[name] = output

        return hook

    hooks = [module.get_submodule(name).register_forward_hook(capture(name)) for name in names if name]
    try:
        yield captured
    finally:
        for handle in hooks:
            handle.remove()
