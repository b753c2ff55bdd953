"""Whole generators, labels, and the same bytes every time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.converters import coreml
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.files import sha256
from pocketlens.models.export import export
from pocketlens.quality import psnr
from pocketlens.runtimes import apple
from pocketlens.runtimes.session import open_artifact
from tests.bands import Case, banded
from tests.generators import SIGNED, fast_style, picture, seeded, small_graph

LABELS = Labels("wave", version="2.1", description="Waves", license="MIT", author="Hokusai")


class AnimeLike(nn.Module):
    """As AnimeGANv2: reflection, group norm over all channels, bilinear up, inverted residuals."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, 8, 7, bias=False), nn.GroupNorm(1, 8))
        self.down = nn.Sequential(nn.ReflectionPad2d((0, 1, 0, 1)), nn.Conv2d(8, 16, 3, 2), nn.GroupNorm(1, 16))
        self.wide = nn.Conv2d(16, 32, 1)
        self.deep = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(32, 32, 3, groups=32), nn.GroupNorm(4, 32))
        self.narrow = nn.Conv2d(32, 16, 1)
        self.last = nn.Conv2d(16, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.down(F.leaky_relu(self.first(x), 0.2)), 0.2)
        x = x + self.narrow(F.leaky_relu(self.deep(F.leaky_relu(self.wide(x), 0.2)), 0.2))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return torch.tanh(self.last(x))


class UNetLike(nn.Module):
    """As pix2pix: strided 4 x 4 convolutions, batch norm, skips by concatenation, transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 16, 4, 2, 1, bias=False)])
        self.norm = nn.ModuleList([nn.BatchNorm2d(16), nn.BatchNorm2d(8)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.ConvTranspose2d(16, 3, 4, 2, 1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one = self.down[0](x)
        two = self.norm[0](self.down[1](F.leaky_relu(one, 0.2)))
        back = self.norm[1](self.up[0](F.relu(two)))
        return torch.tanh(self.up[1](F.relu(torch.cat([back, one], 1))))


class MobileLike(nn.Module):
    """As a phone's student: depthwise convolutions, hard swish, squeeze and excite, pixel shuffles."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 1), nn.BatchNorm2d(16), nn.Hardswish())
        self.deep = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.PReLU(4), nn.Conv2d(4, 16, 1), nn.Hardsigmoid()
        )
        self.last = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(16, 48, 3, 2, 1), nn.PixelShuffle(4))
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        y = y + self.deep(y) * self.gate(y)
        return torch.sigmoid(8 * self.pool(self.last(y)))


GENERATORS: dict[str, tuple[type[nn.Module], Ranges]] = {
    "anime": (AnimeLike, SIGNED),
    "u-net": (UNetLike, SIGNED),
    "mobile": (MobileLike, Ranges((0.0, 1.0), (0.0, 1.0))),
}


def compare(graph: ir.Model, precision: str, folder: Path) -> float:
    """PSNR of the interpreted package against onnxruntime on the graph."""
    hub.save(graph, folder / "graph.onnx")
    path = folder / "p.mlpackage"
    coreml.emit(graph, precision, LABELS, path)
    taken = picture(*hub.size(graph))
    with open_artifact(folder / "graph.onnx") as reference, open_artifact(path, "mil") as session:
        expected = reference.floats(taken)
        assert expected.std() > 5
        return psnr(expected, session.floats(taken))


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(tmp_path: Path, name: str) -> None:
    kind, ranges = GENERATORS[name]
    graph = export(seeded(kind), 64, 48, ranges)
    assert compare(graph, "fp32", tmp_path) > 100
    (tmp_path / "half").mkdir()
    assert compare(graph, "fp16", tmp_path / "half") > 50


@pytest.fixture(scope="module")
def small() -> ir.Model:
    return small_graph()


def test_a_trained_generator(tmp_path: Path, shared: Path) -> None:
    graph = export(fast_style(shared / "data/fast_style/wave.npz"), 256, 256, Ranges())
    for precision, least in (("fp32", 110), ("fp16", 65)):
        (tmp_path / precision).mkdir()
        assert compare(graph, precision, tmp_path / precision) > least


def test_another_process_writes_the_same_bytes(tmp_path: Path, small: ir.Model) -> None:
    graph, precision = small, "fp16"
    hub.save(graph, tmp_path / "graph.onnx")
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    coreml.emit(graph, precision, LABELS, tmp_path / "a.mlpackage")
    coreml.emit(graph, precision, LABELS, tmp_path / "b.mlpackage")
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before
    code = (
        "from pathlib import Path; from pocketlens.converters import coreml, graph, emitter\n"
        f"labels = emitter.{LABELS!r}\n"
        f"coreml.emit(graph.load(Path('graph.onnx')), {precision!r}, labels, Path('c.mlpackage'))"
    )
    environment = {"PYTHONHASHSEED": "12345", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len({sha256(tmp_path / f"{name}.mlpackage") for name in "abc"}) == 1


def test_what_xcode_shows(tmp_path: Path, small: ir.Model) -> None:
    path = tmp_path / "p.mlpackage"
    coreml.emit(small, "fp16", LABELS, path)
    ct = apple.coremltools()
    with apple.quiet():
        model = ct.models.MLModel(str(path), skip_model_load=True)
    assert (model.author, model.license, model.version) == ("Hokusai", "MIT", "2.1")
    assert model.short_description == "Waves"
    assert dict(model.user_defined_metadata) == {
        "com.github.apple.coremltools.version": ct.__version__,
        "pocketlens.filter": "wave",
        "pocketlens.precision": "fp16",
    }
    spec = model.get_spec()
    assert spec.specificationVersion == 7, "iOS 16"
    for feature, name in ((spec.description.input[0], "image"), (spec.description.output[0], "stylized")):
        assert feature.name == name
        assert "48 x 32" in feature.shortDescription
        kind = feature.type.imageType
        assert (kind.width, kind.height, kind.colorSpace) == (48, 32, 20)


def test_coremltools_reads_the_package_back(tmp_path: Path, small: ir.Model) -> None:
    from coremltools.converters.mil.frontend.milproto import load

    path = tmp_path / "p.mlpackage"
    coreml.emit(small, "fp16", LABELS, path)
    with apple.quiet():
        model = apple.coremltools().models.MLModel(str(path), skip_model_load=True)
        program = load.load(model.get_spec(), 7, model.weights_dir)
    assert [var.name for var in program.functions["main"].outputs] == ["stylized"]


def test_nothing_is_printed(tmp_path: Path, small: ir.Model, capfd: pytest.CaptureFixture[str]) -> None:
    coreml.emit(small, "fp16", LABELS, tmp_path / "p.mlpackage")
    assert capfd.readouterr() == ("", "")


def test_a_graph_without_weights_has_no_weight_file(tmp_path: Path) -> None:
    path = tmp_path / "p.mlpackage"
    graph = banded(Case("y = Relu(x)"))
    coreml.emit(graph, "fp32", LABELS, path)
    assert sorted(p.name for p in path.rglob("*") if p.is_file()) == ["Manifest.json", "model.mlmodel"]
    with open_artifact(path, "mil") as session:
        assert np.isfinite(session.floats(picture(*hub.size(graph)))).all()


def test_what_cannot_be_emitted_writes_nothing(tmp_path: Path, small: ir.Model) -> None:
    path = tmp_path / "p.mlpackage"
    with pytest.raises(UnsupportedError, match="Sinh 'sinh_"):
        coreml.emit(banded(Case("y = Sinh(x)")), "fp32", LABELS, path)
    with pytest.raises(InputError, match="no precision 'int3'"):
        coreml.emit(small, "int3", LABELS, path)
    assert list(tmp_path.iterdir()) == []
