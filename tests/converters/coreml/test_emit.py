"""Whole generators, and the same bytes every time."""

import subprocess
import sys
from pathlib import Path

import onnx_ir as ir
import pytest

from pocketlens.converters import coreml
from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.files import sha256
from pocketlens.models.export import export
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from tests.bands import Case, banded
from tests.converters.coreml.generators import GENERATORS
from tests.converters.coreml.harness import LABELS
from tests.generators import fast_style, picture, seeded


def compare(graph: ir.Model, precision: str, folder: Path) -> float:
    """PSNR of the interpreted package against onnxruntime on the graph."""
    hub.save(graph, folder / "graph.onnx")
    path = folder / "p.mlpackage"
    coreml.emit(graph, precision, LABELS, path)
    image = picture(*hub.size(graph))
    with open_artifact(folder / "graph.onnx") as reference, open_artifact(path, "mil") as session:
        expected = reference.floats(image)
        assert expected.std() > 5
        return psnr(expected, session.floats(image))


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(tmp_path: Path, name: str) -> None:
    kind, ranges = GENERATORS[name]
    graph = export(seeded(kind), 64, 48, ranges)
    assert compare(graph, "fp32", tmp_path) > 100
    (tmp_path / "half").mkdir()
    assert compare(graph, "fp16", tmp_path / "half") > 50


def test_a_trained_generator(tmp_path: Path, shared: Path) -> None:
    graph = export(fast_style(shared / "data/fast_style/wave.npz"), 256, 256, Ranges())
    for precision, least in (("fp32", 110), ("fp16", 65)):
        (tmp_path / precision).mkdir()
        assert compare(graph, precision, tmp_path / precision) > least


def test_another_process_writes_the_same_bytes(tmp_path: Path, small: ir.Model) -> None:
    graph, precision = small, "fp16"
    hub.save(graph, tmp_path / "graph.onnx")
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    coreml.emit(graph, precision, LABELS, tmp_path / "a.mlpackage")
    coreml.emit(graph, precision, LABELS, tmp_path / "b.mlpackage")
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before
    code = (
        "from pathlib import Path; from pocketlens.converters import coreml, graph, emitter\n"
        f"labels = emitter.{LABELS!r}\n"
        f"coreml.emit(graph.load(Path('graph.onnx')), {precision!r}, labels, Path('c.mlpackage'))"
    )
    environment = {"PYTHONHASHSEED": "12345", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len({sha256(tmp_path / f"{name}.mlpackage") for name in "abc"}) == 1


def test_nothing_is_printed(tmp_path: Path, small: ir.Model, capfd: pytest.CaptureFixture[str]) -> None:
    coreml.emit(small, "fp16", LABELS, tmp_path / "p.mlpackage")
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_emitted_writes_nothing(tmp_path: Path, small: ir.Model) -> None:
    path = tmp_path / "p.mlpackage"
    with pytest.raises(UnsupportedError, match="Sinh 'sinh_"):
        coreml.emit(banded(Case("y = Sinh(x)")), "fp32", LABELS, path)
    with pytest.raises(InputError, match="no precision 'int3'"):
        coreml.emit(small, "int3", LABELS, path)
    assert list(tmp_path.iterdir()) == []
