"""What torch cannot export is refused in our words alone: its own print the graph."""

import pytest
import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models.export import export_unprepared


class _WithoutMedian(nn.Module):
    """Torch has no ONNX for a median, and prints its graph to say so."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.median()


def test_only_our_own_words(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="torch cannot export the generator"):
        export_unprepared(_WithoutMedian(), 16, 16, "torchscript")
    assert capfd.readouterr() == ("", "")
