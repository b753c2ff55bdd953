"""Pipes, devices, sockets and folders where files are wanted: refused before anything opens them."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pocketlens import files, images, load
from pocketlens.bench.devices.ssh import open_ssh
from pocketlens.bench.document import Document
from pocketlens.bench.measure import bench_bundle
from pocketlens.bundle.verify import verify
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.errors import InputError
from pocketlens.models.source import resolve
from pocketlens.pipeline import clips
from pocketlens.pipeline.bundle_spec import licenses_of
from pocketlens.recipe import Recipe
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.video.source import open_file


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Makes a pipe, a device, a socket or a folder with a suffix."""
    opened = []

    def make(kind: str, suffix: str) -> Path:
        path = tmp_path / f"special{suffix}"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            opened.append(socket.socket(socket.AF_UNIX))
            opened[-1].bind(str(path))
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
        return path

    yield make
    for one in opened:
        one.close()


def within(seconds: float, act: Callable[[], object]) -> None:
    """Check that an action ends in an InputError, and soon: a pipe that is opened waits for ever."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - judged below, in the test's own thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits"
    assert errors and isinstance(errors[0], InputError), errors


def _license(path: Path) -> object:
    text = '[filter]\nname = "x"\nsource = "builtin:cartoon"\nsizes = [[32, 32]]\nlicense = "MIT"\n'
    return licenses_of(Recipe.parse(f'{text}license_file = "{path.name}"\n[targets]\nonnx = ["fp32"]\n'), path.parent)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "recipe": (".toml", Recipe.read),
    "licence": (".txt", _license),
    "document": (".json", Document.read),
    "picture": (".png", images.read),
    "zip": (".zip", verify),
    "bench's zip": (".zip", bench_bundle),
    "session's zip": (".zip", load),
    "onnx source": (".onnx", read_onnx),
    "source": (".onnx", lambda path: resolve(path.name, base=path.parent)),
    "npz": (".npz", lambda path: resolve(path.name, base=path.parent, architecture="fast-style")),
    "safetensors": (".safetensors", lambda path: resolve(path.name, base=path.parent)),
    "pt": (".pt", lambda path: resolve(path.name, base=path.parent, architecture="animegan2")),
    "video": (".mp4", open_file),
    "clip": (".mp4", lambda path: clips.read(path, 32, 32)),
    "onnx artifact": (".onnx", load),
    "onnx artifact in OpenVINO": (".onnx", RUNTIMES["openvino"].open),
    "xml artifact": (".xml", load),
    "tflite artifact": (".tflite", load),
    "ssh's configuration": (".conf", lambda path: open_ssh("ssh://host", path)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
def test_every_reader(special: Callable[[str, str], Path], reader: str, kind: str) -> None:
    suffix, read = READERS[reader]
    if kind == "folder" and reader in ("zip", "clip"):
        pytest.skip("a folder is fine there, or a verdict")
    path = special(kind, suffix)
    within(20, lambda: read(path))


@pytest.mark.parametrize(
    "name", ["measurements/x.json", "artifacts/onnx-fp32-48x64.onnx", "golden/x.png", "report.html"]
)
def test_inside_a_bundle(bundle: Path, name: str) -> None:
    path = bundle / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    if "artifacts" in name:
        within(20, lambda: load(bundle, artifact="onnx-fp32-48x64"))
    else:
        load(bundle, runtime="onnxruntime").close()
    assert verify(bundle, ["onnxruntime"]).verdict == ("pass" if name.startswith(("mea", "rep")) else "fail")


def test_in_a_package(tmp_path: Path) -> None:
    package = tmp_path / "x.mlpackage"
    package.mkdir()
    os.mkfifo(package / "Manifest.json")
    within(20, lambda: load(package))


@contextlib.contextmanager
def _deep(folder: Path, depth: int) -> Iterator[None]:
    """Folders in folders, by relative paths: the whole path of the innermost may be longer than any path may be.

    Removed by `rm`: pytest's own clean-up of temporary folders recurses, and ends a later run with an error.
    """
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", str(folder / "d")], check=True)


def test_folders_that_nest_without_end(bundle: Path, tmp_path: Path) -> None:
    package = tmp_path / "x.mlpackage"
    package.mkdir()
    with _deep(bundle, 1100), _deep(package, 1100):
        checks = verify(bundle, ["onnxruntime"]).checks
        assert [check.details for check in checks if check.state == "fail"] == [
            f"{bundle} holds folders more than {files.MAX_DEPTH} deep"
        ]
        within(20, lambda: load(package))
    fits = tmp_path / "fits"
    fits.mkdir()
    with _deep(fits, files.MAX_DEPTH):
        assert files.files_under(fits) == []


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    within(20, lambda: [images.read(path) for path in images.folder(tmp_path)])


def test_what_is_there_instead_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    named = {"a pipe": tmp_path / "pipe", "a device": Path("/dev/zero"), "a folder": tmp_path, "does not": Path("no")}
    for word, path in named.items():
        with pytest.raises(InputError, match=word):
            files.regular(path)
    with pytest.raises(InputError, match="cannot be read"):
        files.regular(Path(__file__) / "inside")
    with pytest.raises(InputError, match="cannot be read"):
        files.regular(Path("a\0b"))
    shutil.copy(__file__, tmp_path / "file")
    assert files.regular(tmp_path / "file") == tmp_path / "file"
