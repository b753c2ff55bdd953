"""Whole generators of the kinds that people bring, at 64 x 64 and with few channels."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters import tflite
from pocketlens.converters.emitter import Labels
from pocketlens.converters.ranges import Ranges
from pocketlens.models.export import export
from pocketlens.runtimes.session import open_artifact
from tests.generators import SIGNED, fast_style, picture


class Anime(nn.Module):
    """Like AnimeGANv2: mirrored borders, group norms of one group, leaky ReLUs, depthwise convolutions, aligned corners."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self._block(3, 16, 7)
        self.down = self._block(16, 32, 3, 2)
        self.wide = self._block(32, 64, 1)
        self.depth = self._block(64, 64, 3, groups=64)
        self.narrow = nn.Sequential(nn.Conv2d(64, 32, 1, bias=False), nn.GroupNorm(1, 32))
        self.up = self._block(32, 16, 3)
        self.last = nn.Conv2d(16, 3, 1)

    @staticmethod
    def _block(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.ReflectionPad2d((size - 1) // 2),
            nn.Conv2d(inputs, outputs, size, stride, groups=groups, bias=False),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(0.2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(self.first(x))
        x = x + self.narrow(self.depth(self.wide(x)))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return torch.tanh(self.last(self.up(x)))


class UNet(nn.Module):
    """Like pix2pix: 4 x 4 convolutions of stride 2 down and up, skips by concatenation, batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(i, o, 4, 2, 1) for i, o in ((3, 16), (16, 32), (32, 32))])
        self.up = nn.ModuleList([nn.ConvTranspose2d(i, o, 4, 2, 1) for i, o in ((32, 32), (64, 16), (32, 3))])
        self.norms = nn.ModuleList([nn.BatchNorm2d(32), nn.BatchNorm2d(16)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for down in self.down:
            x = down(F.leaky_relu(x, 0.2) if skips else x)
            skips.append(x)
        x = self.norms[0](self.up[0](F.relu(x)))
        x = self.norms[1](self.up[1](F.relu(torch.cat([x, skips[1]], 1))))
        return torch.tanh(self.up[2](F.relu(torch.cat([x, skips[0]], 1))))


class Student(nn.Module):
    """Made for phones: depthwise convolutions, hard swish, a gate, nearest enlargement, a pixel shuffle at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, 2, 1)
        self.depth = nn.Conv2d(16, 32, 3, 2, 1, groups=16)
        self.norm = nn.BatchNorm2d(32)
        self.gate = nn.Linear(32, 32)
        self.point = nn.Conv2d(32, 16, 1)
        self.last = nn.Conv2d(16, 12, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self.first(x))
        x = F.hardswish(self.norm(self.depth(x)))
        x = x * F.hardsigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]
        x = F.interpolate(self.point(x), scale_factor=2, mode="nearest")
        return torch.tanh(F.pixel_shuffle(self.last(x), 2))


def played(graph: ir.Model, precision: str, folder: Path) -> tuple[float, Counter[str], dict]:
    """PSNR against onnxruntime on the same graph, the file's operators, and what the runtime says of itself."""
    height, width = hub.size(graph)
    onnx, lite = folder / "graph.onnx", folder / "graph.tflite"
    hub.save(graph, onnx)
    tflite.emit(graph, precision, Labels("test"), lite)
    pixels = picture(height, width)
    with open_artifact(onnx, "onnxruntime") as teacher, open_artifact(lite, "litert", threads=2) as session:
        score = quality.psnr(teacher.floats(pixels), session.floats(pixels))
        inner = session._loaded[session.size]._player._interpreter._interpreter
        operators = Counter(str(inner.NodeName(index)) for index in range(inner.NumNodes()))
        del operators["DELEGATE"]
        return score, operators, session.runtime_info


@pytest.mark.parametrize(("kind", "partitions"), [(Anime, 1), (UNet, 1), (Student, 2)])
def test_a_generator(kind: type[nn.Module], partitions: int, tmp_path: Path) -> None:
    torch.manual_seed(3)
    graph = export(kind(), 64, 64, SIGNED)
    assert tflite.refusals(graph) == []
    score, operators, info = played(graph, "fp32", tmp_path)
    assert score > 100
    assert operators["TRANSPOSE"] == operators["MIRROR_PAD"] == 0
    assert info.partitions == partitions
    score, _, info = played(graph, "fp16", tmp_path)
    assert score > 60
    assert info.partitions == partitions


def test_a_picture_that_is_not_square(tmp_path: Path) -> None:
    torch.manual_seed(3)
    assert played(export(Anime(), 48, 80, SIGNED), "fp32", tmp_path)[0] > 100


def test_real_weights(shared: Path, tmp_path: Path) -> None:
    graph = export(fast_style(shared / "data/fast_style/wave.npz"), 256, 256, Ranges())
    score, operators, info = played(graph, "fp32", tmp_path)
    assert score > 100
    assert operators["TRANSPOSE"] == operators["PAD"] == operators["SLICE"] == 0
    assert info.partitions == 1
    assert (tmp_path / "graph.tflite").stat().st_size < 6_800_000
    score, _, info = played(graph, "fp16", tmp_path)
    assert score > 70
    assert info.partitions == 1
    assert (tmp_path / "graph.tflite").stat().st_size < 3_450_000


def test_a_wrong_weight_shows(tmp_path: Path) -> None:
    torch.manual_seed(3)
    graph = export(Student(), 64, 64, SIGNED)
    whole = played(graph, "fp32", tmp_path)[0]
    kernel = next(v for v in graph.graph.initializers.values() if v.name == "point.weight")
    assert kernel.const_value is not None
    broken = kernel.const_value.numpy().copy()
    broken[:, :4] = 0
    onnx = tmp_path / "graph.onnx"
    hub.save(graph, onnx)
    kernel.const_value = ir.tensor(broken, name=kernel.name)
    tflite.emit(graph, "fp32", Labels("test"), tmp_path / "broken.tflite")
    pixels = picture(64, 64)
    with open_artifact(onnx, "onnxruntime") as teacher, open_artifact(tmp_path / "broken.tflite") as session:
        score = quality.psnr(teacher.floats(pixels), session.floats(pixels))
    assert score < 60 < whole
    assert np.isfinite(score)
