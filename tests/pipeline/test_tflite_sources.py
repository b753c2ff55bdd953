"""Files of this project in TFLite's form come back as sources: each is compared with its own picture in LiteRT."""

from pathlib import Path

import flatbuffers
import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert import schema_py_generated as schema

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
from tests.converters.tflite_source.harness import FileBuilder
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


def test_a_file_that_litert_refuses_too_is_called_wrong(tmp_path: Path) -> None:
    builder = FileBuilder((1, *SIZE, 3))
    builder.add("ADD", [builder.x, builder.random(1, 32, 30, 3)], (1, *SIZE, 3))
    path = builder.write(tmp_path / "wrong.tflite")
    with pytest.raises(InputError, match="wrong as it was written") as error:
        convert(str(path), ["onnx"], ["fp32"], tmp_path / "out", size=SIZE, ranges=((0, 255), (0, 255)))
    assert "give the model that it was converted from" in str(error.value)


def test_a_file_that_names_files_elsewhere_is_refused(emitted: Path, tmp_path: Path) -> None:
    model = schema.ModelT.InitFromPackedBuf(next(emitted.glob("*fp32*.tflite")).read_bytes())
    group = schema.ExternalBufferGroupT()
    group.name = "/etc/hostname"
    model.externalBufferGroups = [group]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "x.tflite"
    path.write_bytes(builder.Output())
    with pytest.raises(InputError, match="keeps values in '/etc/hostname', which is not inside its own folder"):
        convert(str(path), ["onnx"], ["fp32"], tmp_path / "out", size=SIZE, ranges=((0, 255), (0, 255)))


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


def test_it_teaches_students(emitted: Path) -> None:
    from pocketlens.models.distill.feature_teacher import feature_teacher, fixed_size

    source = resolve("fp32.tflite", base=emitted)
    pixels, features = feature_teacher(source)(PICTURE)
    assert np.array_equal(pixels, teacher_of(source)(PICTURE)) and features is None
    assert fixed_size(emitted / "fp32.tflite") == SIZE


def test_a_file_of_free_size(tmp_path: Path) -> None:
    """Its padding follows the size that is asked for, in the graph as in LiteRT."""
    f = FileBuilder((1, 1, 1, 3))
    steps = {"padding": 0, "strideH": 2, "strideW": 2}
    down = f.add("CONV_2D", [f.x, f.random(4, 3, 4, 3), f.random(4)], (1, 1, 1, 4), dilationHFactor=1,
                 dilationWFactor=1, **steps)  # fmt: skip
    size = f.add("SHAPE", [f.x], (4,), dtype=np.int32, outType=2)
    plane = f.add("SLICE", [size, f.integers(1), f.integers(2)], (2,), dtype=np.int32)
    f.add("RESIZE_BILINEAR", [f.add("CONV_2D", [down, f.random(3, 1, 1, 4), f.random(3)], (1, 1, 1, 3), padding=0,
          strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1), plane], (1, 1, 1, 3))  # fmt: skip
    path = f.write(tmp_path / "free.tflite")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    for tensor in model.subgraphs[0].tensors:
        if tensor.shape is not None and len(tensor.shape) == 4 and tensor.buffer == 0:
            tensor.shapeSignature = np.array([1, -1, -1, tensor.shape[3]], np.int32)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    source, wide = resolve(str(path), base=tmp_path, ranges=((0, 1), (-4, 4))), picture(33, 48, seed=2)
    hub.save(next(export_graphs(source, 33, 48)), tmp_path / "free.onnx")
    with open_artifact(tmp_path / "free.onnx", "onnxruntime") as session:
        assert psnr(teacher_of(source)(wide), np.clip(session.floats(wide), 0, 255)) > 110
