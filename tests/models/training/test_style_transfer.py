import numpy as np
import torch

from pocketlens.models.training.style_transfer import StyleTransfer, gram


def test_the_loss_falls() -> None:
    class Extractor(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [x, torch.nn.functional.avg_pool2d(x, 4)]

    torch.manual_seed(0)
    random = np.random.default_rng(0)
    style = np.full((64, 64, 3), (250, 20, 20), np.uint8)
    pictures = [(random.random((64, 64, 3)) * 255).astype(np.uint8)]
    task = StyleTransfer(torch.nn.Conv2d(3, 3, 1), Extractor(), style, pictures, lambda *_: {}, side=32, strength=10)
    losses = [task.update(step, random) for step in range(30)]
    assert losses[-1] < losses[0]
    assert gram(torch.ones(1, 3, 4, 4)).shape == (1, 3, 3)
