"""One recipe, four commands: ``build``, ``convert``, ``quantize`` and ``optimize`` take each other's graphs from the
cache.
"""

from pathlib import Path

import pytest

import pocketlens
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import registry
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.commands.optimize import optimize
from pocketlens.pipeline.commands.quantize import quantize
from pocketlens.pipeline.search import rewrite_search
from pocketlens.recipe import Gate
from tests.generators import small_graph

GRAPH_STAGES = ("teacher", "graph", "fp16-scaling", "rewritten", "quantized", "quantization-settings", "graph-outputs")
SIZE = (32, 48)
RECIPE = """
[filter]
name = "small"
source = "small.onnx"
sizes = [[32, 48]]
[accelerators]
litert_gpu = "off"
[targets]
onnx = ["int8"]
tflite = ["int8"]
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(rewrite_search, "SETTINGS", BenchmarkSettings(seconds=0.02, count=4, block_seconds=0.001))
    monkeypatch.setattr(rewrite_search, "PROCESSES", 1)
    monkeypatch.setattr(registry, "REWRITES", {"sub-pixel-conv": registry.REWRITES["sub-pixel-conv"]})
    hub.save(small_graph(), tmp_path / "small.onnx")
    (tmp_path / "small.toml").write_text(RECIPE)
    return str(tmp_path / "small.onnx")


def test_commands_share_their_graphs(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets, settings = ["onnx", "tflite"], {"rewrites": ["sub-pixel-conv"]}
    commands = {
        "build": lambda: pocketlens.build(tmp_path / "small.toml", tmp_path / "small.bundle", bench=False, **settings),
        "convert": lambda: convert(model, targets, ["int8"], tmp_path / "out", size=SIZE, **settings),
        "quantize": lambda: quantize(model, targets, gate=Gate(psnr=15), points=1, size=SIZE, **settings),
        "optimize": lambda: optimize(model, targets, precision="int8", size=SIZE, threads=1),
    }
    keys = {}
    for name, command in commands.items():
        cache = tmp_path / f"cache-{name}"
        monkeypatch.setenv("POCKETLENS_CACHE", str(cache))
        command()
        keys[name] = {f"{stage}/{entry.name}" for stage in GRAPH_STAGES for entry in (cache / stage).glob("*")}
    assert keys["build"] == keys["convert"] == keys["quantize"]
    assert {key.split("/")[0] for key in keys["build"]} == set(GRAPH_STAGES)
    tries_no_settings = {key for key in keys["optimize"] if not key.startswith(("rewritten", "quantized", "graph-out"))}
    assert tries_no_settings < keys["build"], "the teacher, its graph and what fp16 needs are the same ones"
    assert keys["optimize"] & keys["build"] > tries_no_settings, "and so is the graph with the rewrite"
