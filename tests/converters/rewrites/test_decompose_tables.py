"""Colour tables and bilateral grids are looked up by matrix products, with the same pixels."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.converters.rewrites.decompose_tables import DecomposeTables
from pocketlens.converters.rewrites.merge_axes import MergeAxes
from pocketlens.models.export import export
from tests.converters.graph_builder import GraphBuilder, run
from tests.converters.rewrites.harness import assert_close, check_passes
from tests.generators import SIGNED, picture


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("corners", [0, 1])
def test_a_volume_is_sampled_within_and_outside(padding: str, corners: int) -> None:
    builder = GraphBuilder((1, 2, 3, 4, 5))
    places = builder.rng.uniform(-1.3, 1.3, (1, 2, 6, 7, 3))
    builder.add("GridSample", "x", builder.array(places), mode="linear", padding_mode=padding, align_corners=corners)
    assert "GridSample" not in check_passes(builder.model(), DecomposeTables)


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("corners", [0, 1])
def test_a_plane_is_sampled_within_and_outside(padding: str, corners: int) -> None:
    builder = GraphBuilder((1, 2, 4, 5))
    places = builder.rng.uniform(-1.3, 1.3, (1, 6, 7, 2))
    builder.add("GridSample", "x", builder.array(places), mode="linear", padding_mode=padding, align_corners=corners)
    assert "GridSample" not in check_passes(builder.model(), DecomposeTables)


@pytest.mark.parametrize("attributes", [{"mode": "nearest"}, {"padding_mode": "reflection"}])
def test_other_ways_of_sampling_stay(attributes: dict[str, str]) -> None:
    builder = GraphBuilder((1, 2, 3, 4, 5))
    builder.add("GridSample", "x", builder.array(builder.rng.uniform(-1, 1, (1, 1, 2, 3, 3))), **attributes)
    assert check_passes(builder.model(), DecomposeTables, applies=False)["GridSample"] == 1


class ColourTable(nn.Module):
    """Blends three tables by what it sees, and looks every pixel up: HuiZeng's image-adaptive tables in small."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.see = nn.Conv2d(3, 3, 4, 4)
        self.tables = nn.Parameter(torch.rand(3, 3, 5, 5, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.see(x).mean((2, 3)).view(1, 3, 1, 1, 1, 1)
        table = (weights * self.tables.unsqueeze(0)).sum(1)
        grid = x.permute(0, 2, 3, 1).unsqueeze(1)
        looked = F.grid_sample(table, grid, mode="bilinear", padding_mode="border", align_corners=True)
        return torch.tanh(looked[:, :, 0])


@pytest.mark.parametrize("target", ["openvino", "tflite", "coreml"])
def test_a_blended_colour_table_converts(target: str) -> None:
    from pocketlens.converters.emitter import emitter

    model = export(ColourTable().eval(), 8, 12, SIGNED)
    assert emitter(target).refusals(model) == []
    pixels = picture(8, 12, 1).transpose(2, 0, 1)[None].astype(np.float32)
    with torch.no_grad():
        expected = ColourTable().eval()(torch.from_numpy(pixels / 127.5 - 1)).numpy() * 127.5 + 127.5
    assert_close(run(model, {"image": pixels}), [np.clip(expected, 0, 255)])


@pytest.mark.parametrize("axes", [(1,), (0, 2), (2, 3, 4), (5,)])
def test_six_axes_become_fewer(axes: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 3, 2, 2, 2, 4))
    wide = builder.add("Mul", "x", builder.random(1, 3, 1, 1, 1, 4))
    builder.add("ReduceSum", wide, builder.ints(*axes), keepdims=0)
    model = builder.model()
    check_passes(model, MergeAxes)
    ranks = [len(v.shape or ()) for n in model.graph if n.op_type != "Reshape" for v in n.outputs]
    assert max(ranks) <= 5


def test_the_only_entry_of_an_axis_is_taken_by_a_reshape() -> None:
    builder = GraphBuilder((1, 3, 1, 2))
    builder.add("Gather", "x", builder.array(0, np.int64), axis=2)
    assert check_passes(builder.model(), MergeAxes) == {"Reshape": 1}
