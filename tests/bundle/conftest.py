"""A small real generator as ONNX and OpenVINO artifacts, and bundles made of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pocketlens.bundle.manifest import FilterInfo, GateResult, Proof, SourceInfo
from pocketlens.bundle.spec import ArtifactEntry, BundleSpec, GoldenEntry
from pocketlens.bundle.write import write
from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.models.export import export
from pocketlens.quality import Scores
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import ArtifactSpec
from tests.generators import picture

SIZE = (48, 64)


class Tint(nn.Module):
    """A blur that also turns the colours, so that swapped channels show."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        with torch.no_grad():
            self.conv.weight.mul_(0.2)
            self.conv.weight[:, :, 1, 1] += torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.6, 0.2], [0.1, 0.0, 0.3]])
            self.conv.bias.copy_(torch.tensor([30.0, 0.0, 10.0]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image)


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.onnx, model.xml and model.bin of one generator, and stand-ins for the phone targets."""
    import openvino as ov

    folder = tmp_path_factory.mktemp("emitted")
    hub.save(export(Tint(), *SIZE, Ranges()), folder / "model.onnx")
    ov.save_model(ov.convert_model(folder / "model.onnx"), folder / "model.xml", compress_to_fp16=False)
    (folder / "model.tflite").write_bytes(b"stand-in for a flatbuffer")
    (folder / "model.mlpackage/Data").mkdir(parents=True)
    (folder / "model.mlpackage/Manifest.json").write_text("{}")
    (folder / "model.mlpackage/Data/weight.bin").write_bytes(b"stand-in for weights")
    return folder


@pytest.fixture(scope="session")
def golden(emitted: Path) -> tuple[GoldenEntry, ...]:
    with open_artifact(emitted / "model.onnx", "onnxruntime") as session:
        pairs = [(picture(*SIZE, seed), session(picture(*SIZE, seed))) for seed in (1, 2)]
    return tuple(GoldenEntry(a, b, "made by a formula", "CC0-1.0") for a, b in pairs)


def artifact(emitted: Path, target: str, precision: str = "fp32") -> ArtifactEntry:
    spec = ArtifactSpec(target, precision, SIZE)
    return ArtifactEntry(
        file=emitted / f"model{spec.format.suffix}",
        spec=spec,
        scores=Scores(90.25, 0.9999, 0.5),
        verified_with=Proof(spec.format.runtimes[-1], "1.0", "fp32"),
        golden_psnr=45.0,
        gates=(GateResult("ssim", 0.95, 0.9999, "pass"),),
    )


@pytest.fixture(scope="session")
def spec(emitted: Path, golden: tuple[GoldenEntry, ...]) -> BundleSpec:
    """What can be played here: ONNX and OpenVINO."""
    return BundleSpec(
        filter=FilterInfo("tint", "1.0", "Turns the colours.", "MIT", None, ("Made by the tests",), "tint"),
        source=SourceInfo("0" * 64, "module"),
        artifacts=(artifact(emitted, "onnx"), artifact(emitted, "openvino")),
        golden=golden,
        recipe='[filter]\nname = "tint"\n',
        toolchain={"onnx-ir": "1.1.0", "coremltools": "9.0", "ai_edge_litert": "2.3.0"},
        licenses={"MIT.txt": "Permission is hereby granted ...\n"},
    )


@pytest.fixture(scope="session")
def full_spec(spec: BundleSpec, emitted: Path) -> BundleSpec:
    """With stand-ins for the phone targets, for what is only written and not played."""
    phones = (artifact(emitted, "tflite", "fp16"), artifact(emitted, "coreml", "fp16"))
    return replace(spec, artifacts=spec.artifacts + phones)


@pytest.fixture
def bundle(spec: BundleSpec, tmp_path: Path) -> Path:
    """A bundle folder of the test's own."""
    write(spec, tmp_path / "tint.bundle")
    return tmp_path / "tint.bundle"


@pytest.fixture
def zipped(spec: BundleSpec, tmp_path: Path) -> Path:
    write(spec, tmp_path / "tint.zip")
    return tmp_path / "tint.zip"


@pytest.fixture
def edit() -> Callable[[Path, Callable[[dict], None]], None]:
    """Change the manifest of a bundle folder."""
    import json

    def change(folder: Path, how: Callable[[dict], None]) -> None:
        data = json.loads((folder / "manifest.json").read_text())
        how(data)
        (folder / "manifest.json").write_text(json.dumps(data))

    return change
