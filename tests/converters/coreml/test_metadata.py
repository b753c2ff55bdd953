"""What a package says of itself."""

from pathlib import Path

import onnx_ir as ir

from pocketlens.converters import coreml
from pocketlens.runtimes import apple
from tests.converters.coreml.harness import LABELS


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
