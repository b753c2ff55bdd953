"""Fixtures: a small real generator as ONNX and OpenVINO artifacts, and bundles that hold them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bundle.manifest import FilterInfo, SourceInfo
from pocketlens.bundle.spec import BundleSpec, GoldenEntry
from pocketlens.bundle.write import write
from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.models.export import export
from pocketlens.runtimes.session import open_artifact
from tests.bundle.samples import SIZE, Tint, artifact_entry
from tests.generators import picture


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.onnx, model.xml and model.bin of one generator, and stand-ins for the phone targets."""
    import openvino as ov

    folder = tmp_path_factory.mktemp("emitted")
    hub.save(export(Tint(), *SIZE, Ranges()), folder / "model.onnx")
    ov.save_model(ov.convert_model(folder / "model.onnx"), folder / "model.xml", compress_to_fp16=False)
    (folder / "model.tflite").write_bytes(b"stand-in for a flatbuffer")
    (folder / "compiled.onnx").write_bytes(b"stand-in for an EPContext")
    (folder / "compiled.bin").write_bytes(b"stand-in for a chip's program")
    (folder / "compiled.aimodel").mkdir()
    (folder / "compiled.aimodel/main.hash").write_bytes(b"stand-in for a program")
    (folder / "model.mlpackage/Data").mkdir(parents=True)
    (folder / "model.mlpackage/Manifest.json").write_text("{}")
    (folder / "model.mlpackage/Data/weight.bin").write_bytes(b"stand-in for weights")
    return folder


@pytest.fixture(scope="session")
def golden(emitted: Path) -> tuple[GoldenEntry, ...]:
    with open_artifact(emitted / "model.onnx", "onnxruntime") as session:
        pairs = [(picture(*SIZE, seed), session(picture(*SIZE, seed))) for seed in (1, 2)]
    return tuple(GoldenEntry(a, b, "made by a formula", "CC0-1.0") for a, b in pairs)


@pytest.fixture(scope="session")
def spec(emitted: Path, golden: tuple[GoldenEntry, ...]) -> BundleSpec:
    """What can be played here: ONNX and OpenVINO."""
    return BundleSpec(
        filter=FilterInfo("tint", "1.0", "Turns the colours.", "MIT", None, ("Made by the tests",), "tint"),
        source=SourceInfo("0" * 64, "module"),
        artifacts=(artifact_entry(emitted, "onnx"), artifact_entry(emitted, "openvino")),
        golden=golden,
        recipe='[filter]\nname = "tint"\n',
        toolchain={"onnx-ir": "1.1.0", "coremltools": "9.0", "ai_edge_litert": "2.3.0"},
        licenses={"MIT.txt": "Permission is hereby granted ...\n"},
    )


@pytest.fixture(scope="session")
def full_spec(spec: BundleSpec, emitted: Path) -> BundleSpec:
    """With stand-ins for the phone targets, for what is only written and not played."""
    phones = (artifact_entry(emitted, "tflite", "fp16"), artifact_entry(emitted, "coreml", "fp16"))
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
