"""One generator of each architecture, with random weights, for what makes smaller copies of them."""

import pytest
import torch
from torch import nn

from pocketlens.models import pix2pix_unet, zoo

CASES = [(a.name, a.variants[-1]) for a in zoo.ARCHITECTURES.values()]
every_architecture = pytest.mark.parametrize(("name", "variant"), CASES, ids=[name for name, _ in CASES])


def make(name: str, variant: zoo.Variant) -> nn.Module:
    torch.manual_seed(0)
    return zoo.architecture(name).generator_class()(**variant.arguments).eval()


@pytest.fixture
def narrow_unet(monkeypatch: pytest.MonkeyPatch) -> None:
    """All layers of the U-Net at a quarter of its width: 41 million parameters would take most of a minute."""
    monkeypatch.setattr(pix2pix_unet, "_WIDTH", 16)
    monkeypatch.setattr(pix2pix_unet, "_WIDEST", 128)
