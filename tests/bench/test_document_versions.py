"""Documents of every schema version that ever was, written by the code of their time (``tests/data/documents``)."""

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from pocketlens.bench.budget import PerformanceBudget, judge_all
from pocketlens.bench.compare import compare, incomparable
from pocketlens.bench.document import SCHEMA, Document
from pocketlens.bench.report import render
from pocketlens.bundle.manifest import Manifest

FOLDER = Path(__file__).parents[1] / "data" / "documents"
PATHS = {path.stem: path for path in sorted(FOLDER.glob("*.json"))}
IN_TURNS = [name for name in PATHS if "sustained" not in name]
BUDGET = PerformanceBudget.of(preset="snap-lens")


def test_there_is_one_of_every_version() -> None:
    versions = {json.loads(path.read_text())["schema"] for path in PATHS.values()}
    assert {name.partition("-")[0] for name in PATHS} == versions
    assert versions == {f"1.{minor}" for minor in range(int(SCHEMA.partition(".")[2]) + 1)}


@pytest.mark.parametrize("name", PATHS)
def test_it_is_read_and_nothing_of_it_is_lost(name: str) -> None:
    document = Document.read(PATHS[name])
    onnx = document.results[0]
    assert onnx.label == "onnx-fp32-64x64 in onnxruntime" and onnx.blocks and onnx.failure is None
    written = document.to_json()
    assert Document.from_json(written) == document
    check_kept(json.loads(PATHS[name].read_text()), json.loads(written))


def check_kept(old: Any, new: Any, where: str = "") -> None:
    """Every key and value of the old document stands in the new one."""
    if isinstance(old, dict):
        for key, value in old.items():
            assert key in new, f"{where}.{key} is lost"
            check_kept(value, new[key], f"{where}.{key}")
    elif isinstance(old, list):
        assert len(old) == len(new), where
        for index, (first, second) in enumerate(zip(old, new, strict=True)):
            check_kept(first, second, f"{where}[{index}]")
    else:
        assert old == new, where


def test_what_became_of_each_subject() -> None:
    for name in IN_TURNS:
        results = {result.label: result for result in Document.read(PATHS[name]).results}
        assert results["coreml-fp16-64x64 in mil"].runtime.interpreted
        assert "macOS" in str(results["coreml-fp16-64x64 in coreml"].skipped)
        assert "the picture is wrong" in str(results["swapped-fp32-64x64 in onnxruntime"].failure)
    requested = Document.read(PATHS["1.2"]).results
    assert [result.requested.text for result in requested][-2:] == ["2 threads, xnnpack", "1 thread, computing in fp32"]
    assert Document.read(PATHS["1.1-sustained"]).environment.during


@pytest.mark.parametrize(("base", "other"), permutations(IN_TURNS, 2))
def test_versions_are_compared_with_each_other(base: str, other: str) -> None:
    first, second = Document.read(PATHS[base]), Document.read(PATHS[other])
    assert incomparable(first, second) == []
    labels = [ratio.label for ratio in compare(first, second)]
    assert labels[:3] == [
        "onnx-fp32-64x64 in onnxruntime",
        "openvino-fp32-64x64 in openvino",
        "tflite-fp32-64x64 in litert",
    ]


@pytest.fixture(scope="module")
def renamed_manifest(manifest: Manifest) -> Manifest:
    """A bundle whose artifacts have the ids of those in the documents."""
    artifacts = (replace(artifact, id=f"{artifact.id.rpartition('-')[0]}-64x64") for artifact in manifest.artifacts)
    return replace(manifest, artifacts=tuple(artifacts))


@pytest.mark.parametrize("name", PATHS)
def test_it_is_judged_and_reported(name: str, renamed_manifest: Manifest) -> None:
    document = Document.read(PATHS[name])
    verdicts = judge_all(document, BUDGET)
    assert {"frame_ms", "size_mb", "memory_mb"} == {verdict.name for verdict in verdicts}
    page = render(renamed_manifest, document, verdicts, [], BUDGET)
    assert "onnx-fp32-64x64" in page and "Latency over time" in page and document.environment.time in page
