"""VGG's features from a weights file that the user has: nothing is downloaded."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.errors import InputError
from pocketlens.models import weights
from pocketlens.models.checkpoint import checked_cast

_LAYERS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21))
"""VGG-16's convolutions up to relu4_3, by their numbers in torchvision's ``features``; a 2 x 2 maximum lies between
groups.
"""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WIDTHS = (64, 128, 256, 512)


class Vgg(nn.Module):
    """The features relu1_2, relu2_2, relu3_3 and relu4_3 of VGG-16 (Simonyan and Zisserman 2014), for pictures of
    0..1.
    """

    def __init__(self) -> None:
        super().__init__()
        channels, self.groups = 3, nn.ModuleList()
        for numbers, width in zip(_LAYERS, _WIDTHS, strict=True):
            group = nn.ModuleDict()
            for number in numbers:
                group[str(number)] = nn.Conv2d(channels, width, 3, padding=1)
                channels = width
            self.groups.append(group)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = (x - self.mean) / self.deviation
        features = []
        for index, group in enumerate(self.groups):
            x = F.max_pool2d(x, 2) if index else x
            for convolution in group.values():
                x = F.relu(convolution(x))
            features.append(x)
        return features


def load_vgg(path: Path) -> Vgg:
    """Read torchvision's ``vgg16`` weights; nothing in the file is executed.

    Raises:
        InputError: The file cannot be read, holds other weights, or some that are not finite.
    """
    tensors = weights.read(path)
    module, names = Vgg(), {}
    for group, numbers in enumerate(_LAYERS):
        for number in numbers:
            for kind in ("weight", "bias"):
                names[f"groups.{group}.{number}.{kind}"] = f"features.{number}.{kind}"
    state = module.state_dict()
    for name, source in names.items():
        if source not in tensors or tensors[source].shape != state[name].shape:
            raise InputError(
                f"{path} holds no VGG-16: {source} is {'of another shape' if source in tensors else 'missing'}",
                do="give torchvision's vgg16-397923af.pth",
            )
        state[name] = checked_cast(path, source, tensors[source], state[name])
    module.load_state_dict(state)
    module.eval().requires_grad_(False)
    return module
