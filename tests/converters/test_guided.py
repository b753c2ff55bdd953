"""Guided output: the graph and the arithmetic in NumPy are the same, and edges are the large picture's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketlens import images, quality
from pocketlens.converters import graph as hub
from pocketlens.converters.guided import apply_guided, guided_graph, shrink_picture
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.export import export
from pocketlens.models.teacher import guided_teacher, torch_teacher
from pocketlens.runtimes.session import open_artifact
from tests.generators import SIGNED, picture, seeded, small_graph

SHRINK = 4


class _Contrast(nn.Module):
    """What a line explains: twice the contrast, another colour."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 2 * (image - 128) + torch.tensor([120.0, 100.0, 140.0]).view(1, 3, 1, 1)


class _Doubled(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(image, scale_factor=2.0)


@pytest.mark.parametrize("strokes", [0.0, 0.7])
def test_the_graph_computes_what_numpy_computes(tmp_path: Path, strokes: float) -> None:
    module, large = seeded(), picture(64, 96)
    hub.save(guided_graph(small_graph(16, 24), SHRINK, strokes), tmp_path / "guided.onnx")
    with open_artifact(tmp_path / "guided.onnx", exact=True) as session:
        computed = session.floats(large)
    expected = guided_teacher(torch_teacher(module, SIGNED), SHRINK, strokes)(large)
    assert np.abs(computed - expected).max() < 0.01
    assert np.ptp(expected) > 3


def test_what_a_line_explains_is_as_sharp_as_the_large_picture() -> None:
    large = np.full((96, 128, 3), 90, np.uint8)
    large[:, 61:] = 160  # an edge inside a pixel of the small picture
    stylized = _Contrast()(torch.from_numpy(shrink_picture(large, SHRINK).transpose(2, 0, 1)[None]))[0]
    small = np.clip(stylized.numpy().transpose(1, 2, 0), 0, 255)
    whole = torch.from_numpy(large.astype(np.float32).transpose(2, 0, 1)[None])
    wanted = np.clip(_Contrast()(whole)[0].numpy(), 0, 255)
    guided = apply_guided(large, small, SHRINK, 0.0)
    stretched = images.resize(images.to_uint8(small), 96, 128).astype(np.float32)
    scores = [quality.psnr(wanted.transpose(1, 2, 0), result) for result in (guided, stretched)]
    assert scores[0] > scores[1] + 10
    steps = [np.abs(np.diff(result[48, :, 1])).max() for result in (guided, stretched)]
    assert steps[0] > 1.5 * steps[1]


def test_strokes_add_what_no_line_explains() -> None:
    """Stripes on a flat wall: the picture's edges say nothing of them."""
    wall = np.full((96, 96, 3), 128, np.uint8)
    stripes = np.full((24, 24, 3), 128, np.float32)
    stripes[:, ::4] = 40
    without, half, whole = (apply_guided(wall, stripes, SHRINK, share) for share in (0.0, 0.5, 1.0))
    assert without.std() < 3
    assert without.std() < half.std() < whole.std()
    assert np.abs(whole - images.resize(images.to_uint8(stripes), 96, 96)).mean() < 8


def test_a_flat_picture_and_a_black_one_give_no_division_by_zero() -> None:
    for shade in (0, 255):
        flat = np.full((32, 32, 3), shade, np.uint8)
        assert np.allclose(apply_guided(flat, np.full((8, 8, 3), 77.0, np.float32), SHRINK, 0.0), 77)


def test_a_generator_that_enlarges_is_refused() -> None:
    with pytest.raises(InputError, match="takes 16 x 16 and gives 32 x 32") as refusal:
        guided_graph(export(_Doubled(), 16, 16, Ranges()), SHRINK, 0.0)
    assert "guided" in refusal.value.do
