"""A generator whose values overflow half precision."""

import torch
from torch import nn
from torch.nn import functional as F


class Loud(nn.Module):
    """A convolution of 500,000 before a norm, one of 300,000 before another convolution, and a sum of both kinds."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True, eps=1e-3)
        self.second, self.third = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.last = nn.Conv2d(8, 3, 3, padding=1)
        with torch.no_grad():
            self.first.weight.mul_(4e5)
            self.second.weight.mul_(2e5)
            self.last.weight.mul_(1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(F.pad(self.first(x), (1, 1, 1, 1), "reflect")))
        y = F.leaky_relu(self.second(y), 0.2)
        return torch.tanh(self.last(F.avg_pool2d(y + self.third(y), 3, 1)))
