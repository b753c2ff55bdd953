import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.errors import InputError
from pocketlens.pipeline.budgets import budget_of

Edit = Callable[[Path, Callable[[dict], None]], None]


def test_folder_and_zip(bundle: Path, zipped: Path) -> None:
    for path in (bundle, zipped, str(bundle)):
        with open_bundle(path) as opened:
            opened.check_hashes()
            assert opened.unlisted() == []
            artifact = opened.artifact("openvino-fp32-48x64")
            assert opened.path_of(artifact).with_suffix(".bin").is_file()
        assert opened.folder.exists() == (opened.folder == bundle)
        opened.close()


def test_an_unknown_artifact_lists_what_there_is(bundle: Path) -> None:
    with open_bundle(bundle) as opened, pytest.raises(InputError, match="no artifact 'x'") as caught:
        opened.artifact("x")
    assert "onnx-fp32-48x64" in caught.value.do


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_bundle(tmp_path / "absent")
    with pytest.raises(InputError, match=r"no bundle: it holds no manifest\.json"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"{}", b'{"schema": "1.0"'])
def test_a_damaged_manifest(bundle: Path, data: bytes) -> None:
    (bundle / "manifest.json").write_bytes(data)
    with pytest.raises(InputError, match=r"manifest\.json"):
        open_bundle(bundle)


def test_a_huge_manifest_is_not_read(bundle: Path) -> None:
    with (bundle / "manifest.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="larger than"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["artifacts/openvino-fp32-48x64.xml", "artifacts/openvino-fp32-48x64.bin"])
def test_an_altered_artifact_is_not_opened(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[-9] ^= 1
    (bundle / name).write_bytes(data)
    with open_bundle(bundle) as opened:
        opened.path_of(opened.artifact("onnx-fp32-48x64"))
        with pytest.raises(InputError, match=rf"{name} is not the file that was verified"):
            opened.path_of(opened.artifact("openvino-fp32-48x64"))
        with pytest.raises(InputError, match=name):
            opened.check_hashes()


def test_a_missing_file(bundle: Path) -> None:
    (bundle / "LICENSES/NOTICE").unlink()
    with open_bundle(bundle) as opened, pytest.raises(InputError, match="LICENSES/NOTICE is missing"):
        opened.check_hashes()


def test_links_are_not_followed_even_to_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    artifact = bundle / "artifacts/onnx-fp32-48x64.onnx"
    artifact.rename(tmp_path / "outside.onnx")
    artifact.symlink_to(tmp_path / "outside.onnx")
    with open_bundle(bundle) as opened, pytest.raises(InputError, match="reached through a link"):
        opened.path_of(opened.artifact("onnx-fp32-48x64"))


def test_a_linked_folder_and_a_linked_manifest(bundle: Path, tmp_path: Path) -> None:
    (bundle / "golden").rename(tmp_path / "golden")
    (bundle / "golden").symlink_to(tmp_path / "golden")
    with open_bundle(bundle) as opened:
        assert opened.unlisted() == ["golden"]
        with pytest.raises(InputError, match="reached through a link"):
            opened.file("golden/in_00_48x64.png")
    (bundle / "manifest.json").rename(tmp_path / "manifest.json")
    (bundle / "manifest.json").symlink_to(tmp_path / "manifest.json")
    with pytest.raises(InputError, match="reached through a link"):
        open_bundle(bundle)


def test_a_pipe_is_no_file(bundle: Path) -> None:
    """Reading one would wait for ever."""
    (bundle / "recipe.toml").unlink()
    os.mkfifo(bundle / "recipe.toml")
    with open_bundle(bundle) as opened, pytest.raises(InputError, match=r"recipe\.toml is missing"):
        opened.check_hashes()


def test_a_stowaway_in_an_artifacts_folder(full_spec: BundleSpec, tmp_path: Path) -> None:
    write(full_spec, tmp_path / "b")
    with open_bundle(tmp_path / "b") as opened:
        coreml = opened.artifact("coreml-fp16-48x64")
        assert opened.path_of(coreml).is_dir()
        (tmp_path / "b" / coreml.path / "Data/extra.bin").write_bytes(b"")
        with pytest.raises(InputError, match=r"extra\.bin is in the artifact's folder but not in the manifest"):
            opened.path_of(coreml)


def test_unlisted_files(bundle: Path) -> None:
    (bundle / "artifacts/.hidden").write_text("")
    (bundle / "measurements").mkdir()
    (bundle / "measurements/local.json").write_text("{}")
    (bundle / "measurements/link.json").symlink_to("/etc/passwd")
    with open_bundle(bundle) as opened:
        assert opened.unlisted() == ["artifacts/.hidden", "measurements/link.json"]


def test_a_size_that_contradicts_the_manifest(bundle: Path, edit: Edit) -> None:
    edit(bundle, lambda data: data["artifacts"][0].update(bytes=5))
    with open_bundle(bundle) as opened, pytest.raises(InputError, match="the manifest says 5"):
        opened.path_of(opened.manifest.artifacts[0])


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = \xff", "a = " + "9" * 5000])
def test_a_recipe_that_is_no_toml(bundle: Path, edit: Edit, text: str) -> None:
    data = text.encode("latin-1")
    (bundle / "recipe.toml").write_bytes(data)
    edit(bundle, lambda manifest: manifest["files"].update({"recipe.toml": hashlib.sha256(data).hexdigest()}))
    with open_bundle(bundle) as opened, pytest.raises(InputError, match=r"recipe\.toml is damaged"):
        budget_of(opened, preset=None, fps=None, frame_ms=None)


def test_a_file_that_is_not_listed_cannot_be_asked_for(bundle: Path) -> None:
    with open_bundle(bundle) as opened, pytest.raises(InputError, match="not listed"):
        opened.file("../../etc/passwd")


def test_the_manifest_is_plain_json(bundle: Path) -> None:
    assert json.loads((bundle / "manifest.json").read_text())["schema"] == "1.4"


@pytest.mark.parametrize(
    ("name", "kind", "do"),
    [
        ("wave.tflite", "one artifact", "pocketlens run"),
        ("wave.mlpackage", "one artifact", "pocketlens run"),
        ("wave.mlmodel", "a Core ML model of the older kind", ".mlpackage"),
        ("wave.onnx", "an ONNX model", "pocketlens convert"),
        ("wave.pth", "a checkpoint", "pocketlens convert"),
        ("wave.h5", "a Keras model", "tf2onnx"),
        ("wave.toml", "a recipe", "pocketlens build"),
    ],
)
def test_what_is_no_bundle_is_called_what_it_is(name: str, kind: str, do: str, tmp_path: Path) -> None:
    if name.endswith("package"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"\0\1")
    with pytest.raises(InputError) as error:
        open_bundle(tmp_path / name)
    assert f"is {kind}, not a bundle" in error.value.what and do in error.value.do
