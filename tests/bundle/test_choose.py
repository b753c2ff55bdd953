from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bundle.choose import by_preference, choose
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.errors import InputError, MissingError
from pocketlens.targets import ArtifactSpec
from tests.bundle.samples import SIZE


def test_order_of_artifacts(spec: BundleSpec, tmp_path: Path) -> None:
    onnx = spec.artifacts[0]
    missed = (replace(onnx.gates[0], verdict="fail"),)
    large = tmp_path / "large.onnx"
    large.write_bytes(b"x" * 9_000)
    small = tmp_path / "small.tflite"
    small.write_bytes(b"x" * 90)
    artifacts = (
        replace(onnx, spec=ArtifactSpec("onnx", "fp16", SIZE), gates=missed),
        replace(onnx, spec=ArtifactSpec("onnx", "int8", SIZE)),
        replace(onnx, file=large),
        replace(onnx, file=small, spec=ArtifactSpec("tflite", "fp16", SIZE)),
    )
    manifest = write(replace(spec, artifacts=artifacts), tmp_path / "b")
    order = [artifact.id.removesuffix("-48x64") for artifact in by_preference(manifest, manifest.artifacts)]
    assert order == ["tflite-fp16", "onnx-fp32", "onnx-int8", "onnx-fp16"]


def test_what_cannot_be_played_is_explained(full_spec: BundleSpec, tmp_path: Path) -> None:
    manifest = write(replace(full_spec, artifacts=full_spec.artifacts[3:]), tmp_path / "coreml")
    with pytest.raises(MissingError, match="coreml-fp16-48x64: coreml: it runs on macOS only") as caught:
        choose(manifest, "coreml")
    assert caught.value.exit_code == 3
    assert caught.value.do == "choose another runtime: mil"
    with pytest.raises(InputError, match="onnxruntime cannot play it:\n  coreml-fp16-48x64: played by coreml, mil"):
        choose(manifest, "onnxruntime")
    with pytest.raises(InputError, match="there is no runtime 'tensorrt'"):
        choose(manifest, "tensorrt")
    with pytest.raises(InputError, match="no artifact 'onnx-fp32-48x64'") as absent:
        choose(manifest, identity="onnx-fp32-48x64")
    assert "coreml-fp16-48x64" in absent.value.do
