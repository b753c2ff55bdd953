"""Damaged, hostile and foreign packages: a clear error, never a traceback, nothing outside the package opened."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketlens.converters import coreml
from pocketlens.converters.emitter import Labels
from pocketlens.errors import InputError
from pocketlens.quality import psnr
from pocketlens.runtimes import apple
from pocketlens.runtimes.session import open_artifact
from tests.bands import Case, banded, noise, weights

GRAPH = banded(
    Case(
        "m = Conv <pads = [1, 1, 1, 1]> (x, v, b)\nn = Relu(m)\ny = Conv(n, w)",
        {"v": weights(8, 3, 3, 3), "b": weights(8), "w": weights(3, 8, 1, 1)},
    )
)
PICTURE = noise(GRAPH)
MODEL = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "p.mlpackage"
    coreml.emit(GRAPH, "fp32", Labels("test"), path)
    return path


@pytest.fixture
def package(good: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(good, tmp_path / "p.mlpackage"))


def play(path: Path) -> np.ndarray:
    with open_artifact(path, "mil", threads=1) as session:
        return session.floats(PICTURE)


def change_spec(package: Path, change: Callable[[Any], None]) -> None:
    """Change a package's specification with coremltools' own classes."""
    spec = apple.coremltools().proto.Model_pb2.Model()
    spec.ParseFromString((package / MODEL).read_bytes())
    change(spec)
    (package / MODEL).write_bytes(spec.SerializeToString())


def main_block(spec: Any) -> Any:
    return spec.mlProgram.functions["main"].block_specializations["CoreML6"]


def operation(spec: Any, kind: str) -> Any:
    return next(op for op in main_block(spec).operations if op.type == kind)


def stored(spec: Any) -> Any:
    """The first constant that lies in the weight file."""
    values = (op.attributes["val"] for op in main_block(spec).operations if op.type == "const")
    return next(value for value in values if value.WhichOneof("value") == "blobFileValue")


def test_what_is_wrong_is_seen(good: Path, package: Path) -> None:
    before = play(good)
    blob = bytearray((package / WEIGHTS).read_bytes())
    offset, count = struct.unpack("<QQ", blob[64 + 8 : 64 + 24])[::-1]
    blob[offset : offset + count] = bytes(count)
    (package / WEIGHTS).write_bytes(blob)
    assert psnr(before, play(package)) < 30, "a zeroed kernel"
    with open_artifact(good, "mil") as session:
        assert psnr(before, session.floats(np.ascontiguousarray(PICTURE[..., ::-1]))) < 30, "swapped channels"


def test_a_package_may_ask_for_blue_first(good: Path, package: Path) -> None:
    def blue_first(spec: Any) -> None:
        spec.description.input[0].type.imageType.colorSpace = 30
        spec.description.output[0].type.imageType.colorSpace = 30

    change_spec(package, blue_first)
    with open_artifact(good, "mil") as rgb, open_artifact(package, "mil") as bgr:
        expected = rgb.floats(np.ascontiguousarray(PICTURE[..., ::-1]))[..., ::-1]
        assert np.array_equal(bgr.floats(PICTURE), expected)


def remove(name: Path | str) -> Callable[[Path], None]:
    return lambda package: (package / name).unlink()


def cut(name: Path | str, count: int) -> Callable[[Path], None]:
    return lambda package: (package / name).write_bytes((package / name).read_bytes()[:count])


def fill(name: Path | str, data: bytes) -> Callable[[Path], None]:
    return lambda package: (package / name).write_bytes(data)


def smash(name: Path | str, at: int) -> Callable[[Path], None]:
    def damage(package: Path) -> None:
        data = bytearray((package / name).read_bytes())
        data[at : at + 8] = b"\xff" * 8
        (package / name).write_bytes(data)

    return damage


def manifest(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def damage(package: Path) -> None:
        document = json.loads((package / "Manifest.json").read_text())
        (package / "Manifest.json").write_text(json.dumps(change(document) or document))

    return damage


def root_path(path: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["itemInfoEntries"][document["rootModelIdentifier"]]["path"] = path

    return change


def spec(change: Callable[[Any], None]) -> Callable[[Path], None]:
    return lambda package: change_spec(package, change)


def weight_name(name: str) -> Callable[[Path], None]:
    return spec(lambda model: setattr(stored(model).blobFileValue, "fileName", name))


def linked_weights(package: Path) -> None:
    outside = package.parent / "weight.bin"
    shutil.move(package / WEIGHTS, outside)
    (package / WEIGHTS).symlink_to(outside)


def folder_for_weights(package: Path) -> None:
    (package / WEIGHTS).unlink()
    (package / WEIGHTS).mkdir()


def other_shape(model: Any) -> None:
    operation(model, "relu").outputs[0].type.tensorType.dimensions[2].constant.size = 5


def huge_constant(model: Any) -> None:
    stored(model).type.tensorType.dimensions[0].constant.size = 2**60


def strides(model: Any) -> Any:
    name = operation(model, "conv").inputs["strides"].arguments[0].name
    constants = {op.outputs[0].name: op.attributes["val"] for op in main_block(model).operations if op.type == "const"}
    return constants[name].immediateValue.tensor


def no_output(model: Any) -> None:
    main_block(model).outputs[0] = "nowhere"


def loose_end(model: Any) -> None:
    operation(model, "relu").inputs["x"].arguments[0].name = "nowhere"


def text_for_number(model: Any) -> None:
    name = operation(model, "conv").inputs["pad_type"].arguments[0].name
    operation(model, "conv").inputs["strides"].arguments[0].name = name


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no manifest": (remove("Manifest.json"), "Manifest.json is missing"),
    "manifest cut": (cut("Manifest.json", 40), "where the model is"),
    "manifest not text": (fill("Manifest.json", b"\xff\xfe\x00"), "where the model is"),
    "manifest of another kind": (manifest(lambda _: [1, 2]), "where the model is"),
    "manifest nested": (fill("Manifest.json", b"[" * 100_000), "where the model is"),
    "manifest without root": (
        manifest(lambda document: document.pop("rootModelIdentifier") and None),
        "where the model is",
    ),
    "root outside": (manifest(root_path("../../../../etc/passwd")), "outside itself"),
    "root absolute": (manifest(root_path("/etc/passwd")), "outside itself"),
    "root with a zero": (manifest(root_path("a\0b")), "cannot be opened"),
    "root a number": (manifest(root_path(3)), "where the model is"),  # type: ignore[arg-type]
    "no model": (remove(MODEL), "model.mlmodel is missing"),
    "model empty": (fill(MODEL, b""), "expected an ML Program"),
    "model cut": (cut(MODEL, 1000), "cannot be parsed"),
    "model not protobuf": (fill(MODEL, b"\xff" * 1000), "cannot be parsed"),
    "no weights": (remove(WEIGHTS), "weight.bin is missing"),
    "weights a folder": (folder_for_weights, "weight.bin is missing"),
    "weights empty": (fill(WEIGHTS, b""), "not a weight file"),
    "weights cut": (cut(WEIGHTS, 300), "the file"),
    "weights' header smashed": (smash(WEIGHTS, 0), "not a weight file"),
    "blob's header smashed": (smash(WEIGHTS, 64), "no blob starts here"),
    "blob's length smashed": (smash(WEIGHTS, 72), "the blob ends at"),
    "weights linked away": (linked_weights, "a link or a device"),
    "weights outside": (weight_name("@model_path/../../../../weight.bin"), "outside itself"),
    "weights absolute": (weight_name("/etc/passwd"), "expected @model_path/"),
    "weights absolute within": (weight_name("@model_path//etc/passwd"), "outside itself"),
    "weights of another type": (
        spec(lambda model: setattr(stored(model).type.tensorType, "dataType", 21)),
        "the program expects INT8",
    ),
    "weights of no type": (
        spec(lambda model: setattr(stored(model).type.tensorType, "dataType", 0)),
        "UNUSED_TYPE",
    ),
    "offset past the end": (spec(lambda model: setattr(stored(model).blobFileValue, "offset", 2**62)), "the file ends"),
    "huge constant": (spec(huge_constant), "bytes"),
    "constant of another length": (spec(lambda model: strides(model).ints.values.append(3)), "has 3 elements"),
    "constant of another type": (
        spec(lambda model: strides(model).floats.values.append(3)),
        "INT32 is stored as floats",
    ),
    "unknown operation": (
        spec(lambda model: setattr(operation(model, "relu"), "type", "warp_drive")),
        "cannot be interpreted: warp_drive",
    ),
    "nested block": (spec(lambda model: operation(model, "relu").blocks.add() and None), "cannot be interpreted: relu"),
    "no function": (spec(lambda model: model.mlProgram.functions.clear()), "no function 'main'"),
    "no block": (spec(lambda model: setattr(model.mlProgram.functions["main"], "opset", "CoreML99")), "no block"),
    "two outputs": (spec(lambda model: main_block(model).outputs.append("x")), "inputs and outputs"),
    "another kind of model": (spec(lambda model: model.neuralNetwork.SetInParent()), "neuralNetwork"),
    "grey": (
        spec(lambda model: setattr(model.description.input[0].type.imageType, "colorSpace", 10)),
        "not a colour picture",
    ),
    "no description": (spec(lambda model: model.description.Clear()), "description"),
}

RUN: dict[str, tuple[Callable[[Path], None], str]] = {
    "another shape": (spec(other_shape), "relu '.*' cannot be computed: its shape is"),
    "loose end": (spec(loose_end), "relu '.*' cannot be computed: 'nowhere'"),
    "no output": (spec(no_output), "nothing computes the output"),
    "text for a number": (spec(text_for_number), "conv '.*' cannot be computed"),
    "another size": (
        spec(lambda model: setattr(model.description.input[0].type.imageType, "width", 99)),
        "computes at",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_package_is_refused(package: Path, name: str) -> None:
    damage, reason = DAMAGES[name]
    damage(package)
    with pytest.raises(InputError, match=reason) as caught:
        open_artifact(package, "mil")
    assert caught.value.do
    assert str(package) in caught.value.what


@pytest.mark.parametrize("name", RUN)
def test_a_program_that_does_not_fit_together_is_refused(package: Path, name: str) -> None:
    damage, reason = RUN[name]
    damage(package)
    with pytest.raises(InputError, match=reason) as caught:
        play(package)
    assert caught.value.do


def test_a_file_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "p.mlpackage").write_bytes(b"hello")
    with pytest.raises(InputError, match="not a folder"):
        open_artifact(tmp_path / "p.mlpackage", "mil")


def test_any_cut_of_the_model_is_an_error_or_a_picture(good: Path, package: Path) -> None:
    whole = (good / MODEL).read_bytes()
    for count in range(0, len(whole), len(whole) // 40):
        (package / MODEL).write_bytes(whole[:count])
        with pytest.raises(InputError):
            play(package)


def test_any_flipped_byte_is_an_error_or_a_picture(good: Path, package: Path) -> None:
    whole = (good / MODEL).read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(whole), 150):
        data = bytearray(whole)
        data[at] ^= int(rng.integers(1, 256))
        (package / MODEL).write_bytes(data)
        try:
            assert play(package).shape == PICTURE.shape
        except InputError as error:
            assert error.do


def test_runtime_info(good: Path) -> None:
    import torch

    before = torch.get_num_threads()
    with open_artifact(good, "mil", threads=1) as session:
        assert session.runtime_info.document() == {
            "runtime": "mil",
            "version": apple.coremltools().__version__,
            "threads": 1,
            "precision": "fp32",
            "interpreted": True,
        }
        session.floats(PICTURE)
    assert torch.get_num_threads() == before
