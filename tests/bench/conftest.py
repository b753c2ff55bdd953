"""A small generator as an ONNX and an OpenVINO artifact, with the picture that it makes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.images import Picture
from pocketlens.runtimes.session import open_artifact
from tests.bench.devices.phones import lite  # noqa: F401 - fixture
from tests.bundle.conftest import bundle, edit, emitted, full_spec, golden, spec, zipped  # noqa: F401 - fixtures
from tests.generators import picture, small_graph

QUICK = BenchmarkSettings(seconds=0.05, count=8, block_seconds=0.01, warm_seconds=0.1, answer_seconds=60)


@dataclass(frozen=True)
class Small:
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


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("artifacts")
    graph = small_graph(64, 64)
    for target, suffix in (("onnx", ".onnx"), ("openvino", ".xml")):
        emitter(target).emit(graph, "fp32", Labels("small"), folder / f"{target}{suffix}")
    given = picture(64, 64)
    with open_artifact(folder / "onnx.onnx", "onnxruntime", 1) as session:
        return Small(folder, given, session(given))


@pytest.fixture(scope="session")
def make_case(small: Small) -> Callable[..., BenchmarkCase]:
    return small.make_case
