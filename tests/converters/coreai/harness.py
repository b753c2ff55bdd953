"""What tests of Core AI files share: graphs are written, and played by Apple's runtime."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import coreai
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import open_artifact
from tests.bands import noise

LABELS = Labels("wave", version="2.1", description="Waves", license="MIT", author="Hokusai")

needs_core_ai = pytest.mark.skipif(
    bool(RUNTIMES["coreai"].missing()), reason=f"{RUNTIMES['coreai'].missing()}: {RUNTIMES['coreai'].install}"
)


def emit(graph: ir.Model, precision: str, folder: Path) -> Path:
    """The graph as a folder of Core AI's."""
    path = folder / f"{precision}.aimodel"
    coreai.emit(graph, precision, LABELS, path)
    return path


def run_both(
    graph: ir.Model, precision: str, folder: Path, image: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What onnxruntime computes from the graph, and Apple's runtime from the file."""
    image = noise(graph) if image is None else image
    hub.save(graph, folder / "graph.onnx")
    with open_artifact(folder / "graph.onnx") as reference, open_artifact(emit(graph, precision, folder)) as session:
        return reference.floats(image), session.floats(image)
