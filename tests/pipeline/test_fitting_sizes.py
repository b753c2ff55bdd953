"""Where a generator does not fit a size, the multiple that it fits is found by trying."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.errors import InputError
from pocketlens.models.source import Source, resolve, wrap
from pocketlens.pipeline.export import export_graphs


class Skips(nn.Module):
    """Halves twice, doubles twice, and adds what it had before: fits multiples of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = self.first(x)
        quarter = F.max_pool2d(half, 2)
        return self.last(F.interpolate(F.interpolate(quarter, scale_factor=2.0) + half, scale_factor=2.0)) + x


def skipping(kind: str, folder: Path) -> Source:
    torch.manual_seed(0)
    module = Skips().eval()
    if kind == "module":
        return wrap(module, "skips", size=(32, 48))
    axes = {"x": {2: "h", 3: "w"}, "y": {2: "h", 3: "w"}}
    torch.onnx.export(
        module, (torch.zeros(1, 3, 32, 48),), str(folder / "skips.onnx"), dynamo=False,
        opset_version=17, input_names=["x"], output_names=["y"], dynamic_axes=axes,
    )  # fmt: skip
    return resolve("skips.onnx", base=folder)


@pytest.mark.parametrize("kind", ["module", "onnx"])
def test_the_multiple_is_named(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = skipping(kind, tmp_path)
    capfd.readouterr()
    with pytest.raises(InputError) as raised:
        next(export_graphs(source, 30, 45))
    assert "use 32 x 44: it fits multiples of 4" in str(raised.value)
    assert "Traceback" not in capfd.readouterr().err
    assert next(export_graphs(source, 32, 44))
