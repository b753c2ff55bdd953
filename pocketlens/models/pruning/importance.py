"""How much the picture changes when a weight does: measured on pictures, without any labels."""

from collections.abc import Sequence

import torch
from torch import nn

_PROBES = 2


def sensitivities(module: nn.Module, pictures: Sequence[torch.Tensor], seed: int = 0) -> None:
    """Put into each weight's ``grad`` how strongly the output depends on it.

    The gradient of the output's projection on random signs has, squared and averaged, the same mean as the squared
    Jacobian (Hutchinson). So ``|weight * grad|`` says by how much the picture changes, in root mean square, when the
    weight goes. A loss against the teacher would not do: it is 0 at the teacher, and so is its gradient.

    Args:
        module: In eval mode.
        pictures: ``float32 [1, 3, H, W]``, in the module's own range.
        seed: Of the signs.
    """
    random = torch.Generator().manual_seed(seed)
    squares = {name: torch.zeros_like(weight) for name, weight in module.named_parameters()}
    for picture in pictures:
        for _ in range(_PROBES):
            module.zero_grad()
            output = module(picture)
            signs = torch.randint(0, 2, output.shape, generator=random).to(output) * 2 - 1
            (output * signs).sum().backward()
            for name, weight in module.named_parameters():
                if weight.grad is not None:
                    squares[name] += weight.grad**2
    count = max(1, len(pictures) * _PROBES)
    for name, weight in module.named_parameters():
        weight.grad = (squares[name] / count).sqrt()
