from pathlib import Path

import pytest

from pocketlens.errors import InputError
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.runtimes.data_files import check, data_files
from pocketlens.runtimes.session import open_artifact
from tests.converters.tflite.harness import emit_bytes
from tests.generators import picture, small_graph
from tests.runtimes.data_files.models import MULTIPLY, ONNX, WEIGHTS, _model, _weights, initializer, ir, lite


@pytest.mark.parametrize("place", ONNX)
def test_every_place_of_an_onnx_file_that_can_name_a_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "x.onnx").write_bytes(ONNX[place]("w.bin").SerializeToString())
    assert data_files(tmp_path / "x.onnx") == ["w.bin"]


def test_files_that_name_none(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(_model([MULTIPLY], [_weights()]).SerializeToString())
    (tmp_path / "x.tflite").write_bytes(emit_bytes(small_graph()))
    ir(tmp_path, "x.xml")
    assert [data_files(tmp_path / f"x{suffix}") for suffix in (".onnx", ".tflite", ".xml")] == [[], [], []]


def test_external_buffers_of_a_tflite_file(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(lite("weights.bin"))
    assert data_files(tmp_path / "x.tflite") == ["weights.bin"]


def test_values_beside_a_file_of_ones_own_are_played(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(initializer("w.bin").SerializeToString())
    (tmp_path / "w.bin").write_bytes(WEIGHTS)
    image = picture(48, 64)
    for runtime in ("onnxruntime", "openvino"):
        with open_artifact(tmp_path / "x.onnx", runtime) as session:
            assert abs(int(session(image)[0, 0, 0]) - image[0, 0, 0] / 2) <= 1


@pytest.mark.parametrize("name", ["../w.bin", "/etc/hostname", "d/w.bin", "link.bin", "absent.bin", "", "c:/w", "a//b"])
def test_values_outside_of_the_folder_are_not(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    outside.mkdir()
    (outside / "w.bin").write_bytes(WEIGHTS)
    (folder / "link.bin").symlink_to(outside / "w.bin")
    (folder / "d").symlink_to(outside)
    (folder / "x.onnx").write_bytes(initializer(name).SerializeToString())
    (folder / "x.tflite").write_bytes(lite(name))
    for path in folder.glob("x.*"):
        with pytest.raises(InputError, match="keeps values"):
            runtime_for(path).open(path)


@pytest.mark.parametrize("tag", ["_ORT_MEM_ADDR_", "_ORT_LITTLE_ENDIAN_MEM_ADDR_"])
def test_values_at_an_address_in_memory(tmp_path: Path, tag: str) -> None:
    """OpenVINO takes the offset for an address of its own process, whatever lies in the folder."""
    (tmp_path / "*" / tag).mkdir(parents=True)
    (tmp_path / "*" / tag / "*").write_bytes(WEIGHTS)
    (tmp_path / "x.onnx").write_bytes(initializer(f"*/{tag}/*").SerializeToString())
    with pytest.raises(InputError, match="in memory"):
        check(tmp_path / "x.onnx")


def test_two_names_for_the_same_values(tmp_path: Path) -> None:
    model = initializer("w.bin")
    model.graph.initializer[0].external_data.add(key="location", value="v.bin")
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    assert data_files(tmp_path / "x.onnx") == ["v.bin", "w.bin"]


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_another_format_under_the_name(tmp_path: Path, suffix: str) -> None:
    """OpenVINO looks at the content: it reads an ONNX file named .xml, and an IR named .onnx with its .bin."""
    if suffix == ".onnx":
        ir(tmp_path, "x.onnx")
    else:
        (tmp_path / "x.xml").write_bytes(initializer("w.bin").SerializeToString())
    with pytest.raises(InputError, match="is not an"):
        check(tmp_path / f"x{suffix}")


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x08", b"GGUF" * 40, b"\x0a\x03abc\x3a\x00", b"\xff" * 40, b"\x0b" * 9]
)
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    for suffix in (".onnx", ".tflite", ".xml"):
        (tmp_path / f"x{suffix}").write_bytes(data)
        with pytest.raises(InputError, match=r"not an? (readable|OpenVINO)"):
            data_files(tmp_path / f"x{suffix}")


def test_a_package_with_a_link(tmp_path: Path) -> None:
    package = tmp_path / "x.mlpackage"
    (package / "Data").mkdir(parents=True)
    assert data_files(package) == []
    (package / "Data/weight.bin").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match=r"holds Data/weight\.bin, a link or a device"):
        data_files(package)
