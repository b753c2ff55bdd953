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
    if kind == "onnx":
        assert "[1, 4, 14, 22] and [1, 4, 15, 23] do not fit together in Add" in str(raised.value)
    assert "Traceback" not in capfd.readouterr().err
    assert next(export_graphs(source, 32, 44))


class Thirds(nn.Module):
    """Keeps multiples of 3 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(27, 27, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(self.mix(F.pixel_unshuffle(x, 3)), 3)


def test_a_multiple_that_is_no_power_of_two_is_named() -> None:
    with pytest.raises(InputError, match="use 33 x 48: it fits multiples of 3"):
        next(export_graphs(wrap(Thirds().eval(), "thirds", size=(33, 48)), 32, 48))


class Placed(nn.Module):
    """Adds what it has learned for each place of 32 x 48."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.places = nn.Conv2d(3, 3, 1), nn.Parameter(torch.zeros(1, 3, 32, 48))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mix(x) + self.places


def test_where_no_multiple_fits_the_message_asks_for_the_one_size() -> None:
    with pytest.raises(InputError, match="if it was made for one size, give that one as --size"):
        next(export_graphs(wrap(Placed().eval(), "placed", size=(32, 48)), 40, 56))
