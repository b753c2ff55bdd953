"""Odd sizes: small, large, uneven, several in one bundle; and generators that do not take them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import pocketlens
from pocketlens import images
from pocketlens.converters.emitter import Labels
from pocketlens.errors import InputError
from pocketlens.models import zoo
from pocketlens.models.fast_style import FastStyle
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import resolve
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.graph import export_graph
from pocketlens.pipeline.teacher import play_teacher
from tests.generators import SIGNED, picture
from tests.golden import state_by_rule
from tests.models.authors import AnimeGan, TransformerNet, cyclegan

RECIPE = """
[filter]
name = "odd"
source = "{source}"
architecture = "{architecture}"
sizes = {sizes}
license = "MIT"

[pictures]
judge = "judge"

[accelerators]
litert_gpu = "off"
[targets]
{targets}
"""
NARROW: dict[str, Callable[[], nn.Module]] = {
    "fast-style": lambda: FastStyle(blocks=1),
    "transformer-net": lambda: TransformerNet(8, 16, 16, 2),
    "cyclegan-resnet": lambda: cyclegan(8, 2),
    "animegan2": lambda: AnimeGan(8, 16, 16, 32, 2),
    "pocket": lambda: Pocket(channels=8, blocks=1),
}
"""Few channels: a size is right or wrong in every width."""
EVERY_MULTIPLE_OF_4 = ("fast-style", "transformer-net", "cyclegan-resnet", "pocket")
RUN = ("onnx", "openvino", "tflite")


def _recipe(folder: Path, architecture: str, sizes: list[list[int]], targets: tuple[str, ...]) -> Path:
    state = state_by_rule(NARROW[architecture]())
    if architecture == "transformer-net":  # the rule alone gives pictures of three shades of black
        state["deconv3.conv2d.weight"] *= 30
        state["deconv3.conv2d.bias"] += 120
    save_file(state, folder / "w.safetensors")
    (folder / "judge").mkdir()
    images.write(folder / "judge/a.png", picture(300, 400))
    named = "\n".join(f'{target} = ["fp32"]' for target in targets)
    path = folder / "odd.toml"
    text = RECIPE.format(source="w.safetensors", architecture=architecture, sizes=sizes, targets=named)
    path.write_text(text)
    return path


def _built(folder: Path, architecture: str, sizes: list[list[int]], targets: tuple[str, ...]) -> None:
    """Build, verify, and play the bundle at each of its sizes."""
    made = pocketlens.build(_recipe(folder, architecture, sizes, targets), folder / "b", bench=False)
    assert [(a.height, a.width) for a in made.manifest.artifacts] == [tuple(s) for s in sizes for _ in targets]
    assert all(a.scores.psnr > 80 for a in made.manifest.artifacts)
    assert pocketlens.verify(made.path).verdict == "pass"


def test_any_size(tmp_path: Path) -> None:
    """AnimeGANv2 takes every size, odd ones too, and its norms run over all channels."""
    _built(tmp_path, "animegan2", [[32, 32], [37, 51]], RUN)


def test_250_by_333(tmp_path: Path) -> None:
    _built(tmp_path, "animegan2", [[250, 333]], RUN)


@pytest.mark.parametrize("architecture", EVERY_MULTIPLE_OF_4)
def test_several_sizes_in_one_bundle(tmp_path: Path, architecture: str) -> None:
    _built(tmp_path, architecture, [[32, 32], [44, 60]], RUN)


def test_a_large_picture(tmp_path: Path) -> None:
    _built(tmp_path, "pocket", [[480, 832]], RUN)


@pytest.mark.parametrize("architecture", EVERY_MULTIPLE_OF_4)
def test_sizes_that_would_come_back_larger(tmp_path: Path, architecture: str) -> None:
    with pytest.raises(InputError, match=r"cannot compute at 250 x 333: it needs multiples of 4"):
        pocketlens.build(_recipe(tmp_path, architecture, [[250, 333]], RUN), tmp_path / "b", bench=False)


@pytest.mark.parametrize(("variant", "multiple", "near"), [(0, 256, "256 x 256"), (1, 128, "256 x 384")])
def test_u_nets_say_what_they_need(tmp_path: Path, variant: int, multiple: int, near: str) -> None:
    kind = zoo.architecture("pix2pix-unet")
    module = kind.skeleton(kind.variants[variant])
    tensors = {
        name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in module.state_dict().items()
    }
    torch.save(tensors, tmp_path / "w.pt")
    with pytest.raises(InputError, match=rf"at 250 x 333: it needs multiples of {multiple}\n") as error:
        pocketlens.convert(
            str(tmp_path / "w.pt"), ["onnx"], ["fp32"], tmp_path / "out", architecture="pix2pix-unet", size=(250, 333)
        )
    assert error.value.do == f"use {near}"


class _Long(nn.Module):
    """One norm over all channels, as AnimeGANv2 has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)
        self.norm = nn.GroupNorm(1, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = torch.tanh(self.last(self.norm(self.first(x) * 0.1 + 1)))
        return y


def test_a_foreign_file_whose_long_norms_onnxruntime_adds_up_badly(tmp_path: Path) -> None:
    """The teacher is what the file means, once its graph has given what the file gives."""
    torch.manual_seed(0)
    module, path = _Long().eval(), tmp_path / "long.onnx"
    torch.onnx.export(module, (torch.zeros(1, 3, 512, 640),), str(path), dynamo=False, opset_version=13)
    judged = EvalSet(("a",), (picture(512, 640),))
    source = resolve(str(path), base=tmp_path, architecture="", ranges=((-1.0, 1.0), (-1.0, 1.0)))
    (found,) = play_teacher(source, judged)
    from pocketlens.models.teacher import onnx_teacher, torch_teacher

    image = judged.pictures[0]
    meant = torch_teacher(module, SIGNED)(image)
    assert np.abs(found - meant).max() < 1e-3
    assert np.abs(onnx_teacher(path, SIGNED)(image) - meant).max() > 1e-3
    export_graph(Evaluation.prepare(source, judged, Labels("case")))
