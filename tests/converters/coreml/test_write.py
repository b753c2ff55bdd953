"""What the package looks like to somebody else's reader."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from pocketlens.converters import coreml
from pocketlens.converters import graph as hub
from pocketlens.runtimes import apple
from pocketlens.runtimes.session import open_artifact
from tests.bands import Case, banded
from tests.converters.coreml.harness import LABELS
from tests.generators import picture


def test_coremltools_reads_the_package_back(tmp_path: Path, small: ir.Model) -> None:
    from coremltools.converters.mil.frontend.milproto import load

    path = tmp_path / "p.mlpackage"
    coreml.emit(small, "fp16", LABELS, path)
    with apple.quiet():
        model = apple.coremltools().models.MLModel(str(path), skip_model_load=True)
        program = load.load(model.get_spec(), 7, model.weights_dir)
    assert [var.name for var in program.functions["main"].outputs] == ["stylized"]


def test_a_graph_without_weights_has_no_weight_file(tmp_path: Path) -> None:
    path = tmp_path / "p.mlpackage"
    graph = banded(Case("y = Relu(x)"))
    coreml.emit(graph, "fp32", LABELS, path)
    assert sorted(p.name for p in path.rglob("*") if p.is_file()) == ["Manifest.json", "model.mlmodel"]
    with open_artifact(path, "mil") as session:
        assert np.isfinite(session.floats(picture(*hub.size(graph)))).all()
