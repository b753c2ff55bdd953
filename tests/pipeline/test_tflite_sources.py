"""Files of this project in TFLite's form come back as sources: each is compared with its own picture in LiteRT."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.signature import Signature
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from pocketlens.errors import InputError
from pocketlens.models.export import export
from pocketlens.models.source import Source, resolve
from pocketlens.models.teacher import tflite_teacher
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.export import export_graphs, notes
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.cli.calls import call
from tests.generators import picture, small_graph
from tests.pipeline.test_packs import STYLES, tiny

SIZE = (32, 32)
PICTURE = picture(*SIZE, seed=7)
FORM = TARGETS["tflite"].quantizers


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small net in each precision, and a pack."""
    folder, graph = tmp_path_factory.mktemp("emitted"), small_graph(*SIZE)
    shown = [picture(*SIZE, seed) for seed in (1, 2, 3)]
    graphs = {
        "fp32": graph,
        "fp16": graph,
        "w8": quantize_weights(graph, "w8"),
        "int8": quantize(graph, default_plan("int8"), shown, FORM),
    }
    for precision, made in graphs.items():
        emitter("tflite").emit(made, precision, Labels("small"), folder / f"{precision}.tflite")
    pack = tiny()
    pack.styles = STYLES
    emitter("tflite").emit(export(pack, *SIZE, Ranges()), "fp32", Labels("pack"), folder / "pack.tflite")
    return folder


def _psnr_of_graph(source: Source) -> tuple[ir.Model, float]:
    graph = next(export_graphs(source, *SIZE))
    path = source.path.with_suffix(".onnx")  # type: ignore[union-attr]
    hub.save(graph, path)
    with open_artifact(path, "onnxruntime") as session:
        return graph, psnr(teacher_of(source)(PICTURE), np.clip(session.floats(PICTURE), 0, 255))


@pytest.mark.parametrize(("precision", "least"), [("fp32", 110), ("fp16", 110), ("w8", 110), ("int8", 58)])
def test_a_file_comes_back(emitted: Path, precision: str, least: float) -> None:
    source = resolve(f"{precision}.tflite", base=emitted)
    assert (source.kind, source.is_foreign) == ("tflite", True)
    assert source.ranges_said == (precision == "int8")  # its pixels are bytes
    graph, reached = _psnr_of_graph(source)
    assert reached > least
    assert not [node for node in graph.graph if node.op_type == "Transpose"]
    told = " ".join(notes(source))
    assert ("quantized already" in told) == (precision in ("w8", "int8"))
    with open_artifact(source.path) as session:  # type: ignore[arg-type]
        own = session.floats(PICTURE)
    assert psnr(teacher_of(source)(PICTURE), np.clip(own, 0, 255)) > (30 if precision == "int8" else 110)


def test_a_pack_comes_back_in_one_style(emitted: Path) -> None:
    np.save(emitted / "ink.npy", np.eye(len(STYLES), dtype=np.float32)[:1])
    with pytest.raises(InputError, match=r"the model has 2 inputs: 'image' .* 'style'") as told:
        next(export_graphs(resolve("pack.tflite", base=emitted), *SIZE))
    assert "--input image, and fix the others: --constant style=NUMBER" in told.value.do
    signature = Signature(input="image", constants=(("style", "ink.npy"),))
    assert _psnr_of_graph(resolve("pack.tflite", base=emitted, signature=signature))[1] > 100


def test_the_file_itself_is_the_teacher(emitted: Path, tmp_path: Path) -> None:
    """LiteRT plays the source's own bytes, not what was made of them: another file of the same shell gives another
    picture.
    """
    graph = small_graph(*SIZE, seed=5)
    emitter("tflite").emit(graph, "fp32", Labels("other"), tmp_path / "other.tflite")
    first, other = (resolve("fp32.tflite", base=emitted), resolve("other.tflite", base=tmp_path))
    assert first.key != other.key
    assert psnr(teacher_of(first)(PICTURE), teacher_of(other)(PICTURE)) < 40
    from pocketlens.converters.tflite_source import read_tflite, shell_of

    shell = shell_of(read_tflite(emitted / "fp32.tflite"))
    swapped = tflite_teacher(tmp_path / "other.tflite", Ranges(), shell)
    assert np.array_equal(swapped(PICTURE), teacher_of(other)(PICTURE))


def test_int8_goes_to_every_target(emitted: Path, tmp_path: Path) -> None:
    """In a fresh file's own words: what it rounds stays, and nothing is refused."""
    targets = ("onnx", "openvino", "tflite", "coreml")
    made = convert(str(emitted / "int8.tflite"), targets, ("fp16",), tmp_path, size=SIZE)
    assert [artifact.spec.target for artifact in made.artifacts] == list(targets) and not made.failed
    assert all(artifact.verification.worst.psnr > 45 for artifact in made.artifacts)
    assert any("quantized already" in warning for warning in made.warnings)


def test_it_is_inspected_and_explained(emitted: Path) -> None:
    assert "InstanceNormalization" in call("inspect", emitted / "fp16.tflite", "--size", "32x32").stdout
    said = call("inspect", emitted / "fp16.tflite", "--size", "48x32", code=2).stderr
    assert "has height 32, expected 48" in said and "ask for it with 32x32" in said
