"""VGG's features from a weights file that the user has: nothing is downloaded."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.errors import InputError
from pocketlens.models import weights
from pocketlens.models.checkpoint import checked

_LAYERS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))
"""VGG-16's convolutions up to relu4_3, by their numbers in torchvision's ``features``; a 2 x 2 maximum lies between groups."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WIDTHS = (64, 128, 256, 512)


class Vgg(nn.Module):
    """The features relu1_2, relu2_2, relu3_3 and relu4_3 of VGG-16 (Simonyan and Zisserman 2014), for pictures of 0..1."""

    def __init__(self) -> None:
        super().__init__()
        given, self.groups = 3, nn.ModuleList()
        for numbers, width in zip(_LAYERS, _WIDTHS, strict=True):
            group = nn.ModuleDict()
            for number in numbers:
                group[str(number)] = nn.Conv2d(given, width, 3, padding=1)
                given = width
            self.groups.append(group)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = (x - self.mean) / self.deviation
        found = []
        for index, group in enumerate(self.groups):
            x = F.max_pool2d(x, 2) if index else x
            for convolution in group.values():
                x = F.relu(convolution(x))
            found.append(x)
        return found


def load(path: Path) -> Vgg:
    """Read torchvision's ``vgg16`` weights; nothing in the file is executed.

    Raises:
        InputError: The file cannot be read, holds other weights, or some that are not finite.
    """
    found = weights.read(path)
    module, wanted = Vgg(), {}
    for group, numbers in enumerate(_LAYERS):
        for number in numbers:
            for kind in ("weight", "bias"):
                wanted[f"groups.{group}.{number}.{kind}"] = f"features.{number}.{kind}"
    own = module.state_dict()
    for name, theirs in wanted.items():
        if theirs not in found or found[theirs].shape != own[name].shape:
            raise InputError(
                f"{path} holds no VGG-16: {theirs} is {'of another shape' if theirs in found else 'missing'}",
                do="give torchvision's vgg16-397923af.pth",
            )
        own[name] = checked(path, theirs, found[theirs], own[name])
    module.load_state_dict(own)
    module.eval().requires_grad_(False)
    return module
