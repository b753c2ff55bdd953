"""What tests of Core ML packages share: operators are written, read back and run by the interpreter."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from pocketlens.converters import coreml
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.quality import psnr
from pocketlens.runtimes import apple
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.bands import HEIGHT, Case, banded, noise

LABELS = Labels("wave", version="2.1", description="Waves", license="MIT", author="Hokusai")


EXACT = 100.0
"""Least PSNR in dB of an operator in fp32."""
HALF = 50.0
"""Least PSNR in dB of an operator in fp16."""


def run_both(graph: ir.Model, precision: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What onnxruntime computes from the graph, and the interpreter from the package."""
    image = noise(graph)
    hub.save(graph, folder / "graph.onnx")
    path = folder / f"package{TARGETS['coreml'].suffix}"
    coreml.emit(graph, precision, Labels("test"), path)
    with open_artifact(folder / "graph.onnx") as reference, open_artifact(path, "mil") as session:
        assert session.runtime_info.precision == precision
        return reference.floats(image), session.floats(image)


def scores(cases: dict[str, Case], precision: str, folder: Path) -> dict[str, float]:
    """PSNR of each case's band."""
    expected, computed = run_both(banded(*cases.values()), precision, folder)
    bands = {name: slice(i * HEIGHT, (i + 1) * HEIGHT) for i, name in enumerate(cases)}
    flat = [name for name, rows in bands.items() if expected[rows].std() < 3]
    assert not flat, "a flat picture would hide every mistake"
    return {name: psnr(expected[rows], computed[rows]) for name, rows in bands.items()}


def operations(package: Path) -> list[Any]:
    """The operations of a package, read by coremltools."""
    spec = apple.coremltools().utils.load_spec(str(package))
    return list(spec.mlProgram.functions["main"].block_specializations["CoreML6"].operations)
