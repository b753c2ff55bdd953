"""A small PatchGAN discriminator: it tells, patch by patch, the teacher's pictures from the student's."""

import torch
from torch import nn
from torch.nn.utils import parametrizations


class PatchDiscriminator(nn.Module):
    """Judges patches of ``float32 [N, channels, H, W]``, values about -1..1; gives ``[N, 1, H/8, W/8]`` (Isola et al.
    2017).

    Spectral norms keep it gentle (Miyato et al. 2018), so that it needs no norm of its own and no second learning rate.

    Args:
        channels: Of what it sees: 3 for a picture, 6 for a picture beside what it was made from.
        width: Features of the first layer.

    Example:
        >>> tuple(PatchDiscriminator()(torch.zeros(2, 3, 64, 64)).shape)
        (2, 1, 8, 8)
    """

    def __init__(self, channels: int = 3, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels_in, channels_out in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [parametrizations.spectral_norm(nn.Conv2d(channels_in, channels_out, 4, 2, 1)), nn.LeakyReLU(0.2)]
        layers.append(parametrizations.spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return y
