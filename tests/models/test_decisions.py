"""Generators that decide by what is in the picture are refused by the line that does it."""

from pathlib import Path

import pytest
import torch
from torch import nn

import pocketlens
from pocketlens.errors import InputError
from pocketlens.models.decisions import find_decision

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    input_range = output_range = (0.0, 1.0)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        y = torch.sigmoid(4 * self.conv(x))
        {decision}
        return y
"""
DECISIONS = {
    "a loop": "while y.mean() < 0.6: y = torch.sqrt(y)",
    "a branch": "y = 1 - y if x.mean() > 0.2 else y",
    "a count": "for _ in range(1 + int(9 * x.mean())): y = torch.sqrt(y)",
}


@pytest.mark.parametrize("kind", DECISIONS)
def test_what_decides_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / f"net_{len(kind)}.py").write_text(CODE.format(decision=DECISIONS[kind]))
    source = str(tmp_path / f"net_{len(kind)}.py:Net")
    with pytest.raises(InputError, match=r"decides by what is in the picture.*net_\d+\.py:15: ") as error:
        pocketlens.convert(source, ["onnx"], ["fp32"], tmp_path / "out", size=(32, 48))
    assert DECISIONS[kind] in error.value.what
    assert "torch.where" in error.value.do
    assert not (tmp_path / "out").exists()


class Unmoved(nn.Module):
    """Asks its sizes and weights, which are the same for every picture."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2 if self.gain > 0 and x.shape[2] % 2 == 0 else x
        return y * self.gain.item()


def test_sizes_and_weights_are_no_decision() -> None:
    assert find_decision(Unmoved(), (torch.zeros(1, 3, 4, 4),)) == ""
