"""A small generator as an ONNX and an OpenVINO artifact, and benchmark cases of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.images import Picture
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph

QUICK = BenchmarkSettings(seconds=0.05, count=8, block_seconds=0.01, warm_seconds=0.1, answer_seconds=60)


@dataclass(frozen=True)
class SmallArtifacts:
    """The artifacts' folder, a picture, and what they make of it."""

    folder: Path
    picture: Picture
    expected: Picture

    def make_case(self, runtime: str = "onnxruntime", **changes: Any) -> BenchmarkCase:
        target, suffix = ("openvino", ".xml") if runtime == "openvino" else ("onnx", ".onnx")
        fields: dict[str, Any] = {
            "artifact": f"{target}-fp32-64x64",
            "path": self.folder / f"{target}{suffix}",
            "target": target,
            "precision": "fp32",
            "runtime": runtime,
            "picture": self.picture,
            "expected": self.expected,
            "min_psnr": 50.0,
            "threads": 1,
        }
        return BenchmarkCase(**{**fields, **changes})


def emit_small_artifacts(folder: Path) -> SmallArtifacts:
    """Emit the generator into ``folder``, and play it once in onnxruntime for the expected picture."""
    graph = small_graph(64, 64)
    for target, suffix in (("onnx", ".onnx"), ("openvino", ".xml")):
        emitter(target).emit(graph, "fp32", Labels("small"), folder / f"{target}{suffix}")
    image = picture(64, 64)
    with open_artifact(folder / "onnx.onnx", "onnxruntime", 1) as session:
        return SmallArtifacts(folder, image, session(image))
