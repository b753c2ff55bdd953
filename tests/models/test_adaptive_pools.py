"""Pools to sizes that do not divide the picture's are exported as products, with the same values."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from pocketlens.converters.ranges import Ranges
from pocketlens.models.adaptive_pools import PoolsAsProducts
from pocketlens.models.export import export


@pytest.mark.parametrize("size", [3, (5, 7), (None, 4), (13, 24)])
def test_a_product_pools_as_torch_does(size: Any) -> None:
    picture = torch.rand(1, 3, 13, 24, generator=torch.Generator().manual_seed(0))
    expected = functional.adaptive_avg_pool2d(picture, size)
    with PoolsAsProducts():
        found = functional.adaptive_avg_pool2d(picture, size)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_an_area_is_the_same() -> None:
    picture = torch.rand(1, 3, 13, 24, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(picture, size=(5, 7), mode="area")
    with PoolsAsProducts():
        torch.testing.assert_close(functional.interpolate(picture, size=(5, 7), mode="area"), expected)


class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pools = nn.ModuleList(nn.AdaptiveAvgPool2d(n) for n in (1, 2, 3, 6))
        self.mix = nn.Conv2d(15, 3, 1)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        levels = [functional.interpolate(pool(picture), size=picture.shape[2:], mode="bilinear") for pool in self.pools]
        return self.mix(torch.cat([picture, *levels], 1))


def test_a_pyramid_of_pools_has_products_and_windows() -> None:
    operators = [node.op_type for node in export(Pyramid(), 32, 32, Ranges()).graph]
    assert operators.count("MatMul") == 4
    assert "GatherND" not in operators
