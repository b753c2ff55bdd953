"""What torch cannot export is refused in our words alone, without its own, which print the graph; an export keeps no
value that only gradients need.
"""

from pathlib import Path

import pytest
import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.memory import large_blocks_returned
from pocketlens.models.export import export_unprepared


class _WithoutMedian(nn.Module):
    """Torch has no ONNX for a median, and prints its graph to say so."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.median()


def test_only_our_own_words(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="torch cannot export the generator"):
        export_unprepared(_WithoutMedian(), 16, 16, "torchscript")
    assert capfd.readouterr() == ("", "")


class _Scaled(nn.Module):
    """Twelve products, each of whose inputs a gradient would need."""

    def __init__(self) -> None:
        super().__init__()
        self.spread, self.gather = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 3, 1)
        self.scales = nn.ParameterList(nn.Parameter(torch.full((16, 1, 1), 1.0 + i / 100)) for i in range(12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.spread(x)
        for scale in self.scales:
            y = y * scale
        picture: torch.Tensor = self.gather(y)
        return picture


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux says how much memory a process had")
def test_an_export_keeps_no_value_for_gradients() -> None:
    module, value_mb = _Scaled(), 16 * 512 * 512 * 4 / 1e6
    export_unprepared(module, 16, 16, "torchscript")  # what is loaded for the first time counts as nobody's
    with large_blocks_returned():
        Path("/proc/self/clear_refs").write_text("5")
        before = _megabytes("VmRSS")
        export_unprepared(module, 512, 512, "torchscript")
    assert _megabytes("VmHWM") - before < 9 * value_mb  # 3 to 7, by what ran before; with gradients 14


def _megabytes(name: str) -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(name))
