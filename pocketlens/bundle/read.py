"""Opens a bundle, a folder or a zip. Nothing in it is executed, no path leads out of it, and every hash is checked."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pocketlens import files
from pocketlens.bundle import manifest, paths
from pocketlens.bundle.manifest import Artifact, Manifest
from pocketlens.errors import InputError
from pocketlens.runtimes.data_files import data_files
from pocketlens.targets import TARGETS

if TYPE_CHECKING:
    import tempfile

_REMAKE = "get the bundle again, or build it again"


class Bundle:
    """A bundle on disk.

    Example:
        >>> with open_bundle("wave.bundle") as bundle:
        ...     bundle.path_of(bundle.artifact("tflite-fp16-32x48")).name
        'tflite-fp16-32x48.tflite'

    Attributes:
        manifest: Its manifest.
        folder: The folder with its files; for a zip a temporary folder that :meth:`close` removes.
    """

    def __init__(self, folder: Path, unpacked: "tempfile.TemporaryDirectory[str] | None" = None) -> None:
        self.folder = folder
        self._unpacked = unpacked
        self.manifest: Manifest = _read_manifest(folder)

    def artifact(self, identity: str) -> Artifact:
        """The artifact with an id.

        Raises:
            InputError: There is none; the message lists those that there are.
        """
        for artifact in self.manifest.artifacts:
            if artifact.id == identity:
                return artifact
        ids = ", ".join(artifact.id for artifact in self.manifest.artifacts)
        raise InputError(f"the bundle has no artifact {identity!r}", do=f"choose one of {ids}")

    def path_of(self, artifact: Artifact) -> Path:
        """The path of an artifact. Its files are compared with their hashes first.

        Raises:
            InputError: A file is missing, altered or a link; a folder holds a file that is not listed; or the artifact
                keeps values in other files.
        """
        listed = self.manifest.files_of(artifact)
        for name in listed:
            self.check(name)
        path, size = self.folder / artifact.path, sum((self.folder / name).stat().st_size for name in listed)
        if size != artifact.bytes:
            raise InputError(f"{artifact.id} has {size:,} bytes, the manifest says {artifact.bytes:,}", do=_REMAKE)
        if path.is_dir():
            present = {p.relative_to(self.folder).as_posix() for p in files.entries_under(path)}
            if extra := sorted(present - set(listed)):
                raise InputError(f"{extra[0]} is in the artifact's folder but not in the manifest", do=_REMAKE)
        if others := [name for name in _others(path) if _beside(artifact.path, name) not in listed]:
            raise InputError(
                f"{artifact.id} keeps values in another file, {others[0][:200]!r}: an artifact of a bundle holds them "
                "itself",
                do=_REMAKE,
            )
        return path

    def file(self, name: str) -> Path:
        """The path of a file of the content. It is compared with its hash first.

        Raises:
            InputError: It is not listed, missing, altered or a link.
        """
        self.check(name)
        return self.folder / name

    def check(self, name: str) -> None:
        """Compare one file with its hash.

        Raises:
            InputError: It is not listed, missing, altered, or a link.
        """
        if name not in self.manifest.files:
            raise InputError(f"{name} is not listed in {manifest.NAME}", do=_REMAKE)
        actual, expected = files.sha256(_inside(self.folder, name)), self.manifest.files[name]
        if actual != expected:
            raise InputError(
                f"{name} is not the file that was verified: SHA-256 {actual[:12]}…, expected {expected[:12]}…",
                do=_REMAKE,
            )

    def check_hashes(self) -> None:
        """Compare every file with its hash.

        Raises:
            InputError: One is missing, altered or a link; the first in order of name.
        """
        for name in self.manifest.files:
            self.check(name)

    def unlisted(self) -> list[str]:
        """Files, links and other entries of the folder that the manifest does not list, sorted."""
        names = {p.relative_to(self.folder).as_posix() for p in files.entries_under(self.folder)}
        outside = {n for n in names if n in (manifest.NAME, manifest.REPORT) or n.startswith(manifest.MEASUREMENTS)}
        links = {name for name in outside if (self.folder / name).is_symlink()}
        return sorted(names - set(self.manifest.files) - outside | links)

    def close(self) -> None:
        """Remove the folder that a zip was unpacked to; closing twice is fine."""
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None

    def __enter__(self) -> "Bundle":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_bundle(path: Path) -> bool:
    """Whether a path that may also be a model is to be opened as a bundle: a folder with a manifest, or a zip."""
    return (path / manifest.NAME).is_file() or path.suffix == ".zip"


def open_bundle(path: Path | str) -> Bundle:
    """Open a bundle: its folder, or a zip of it, which is unpacked to a temporary folder.

    Raises:
        InputError: There is nothing at ``path``, it is no bundle, it is damaged, or a path in it leads out of it.
    """
    path = Path(path)
    if not path.is_dir():
        files.regular(path)
    _check_kind(path)
    if path.is_dir():
        return Bundle(path)
    import tempfile  # a folder, which apps and devices load, needs none of it

    from pocketlens.bundle import archive

    unpacked = tempfile.TemporaryDirectory(prefix="pocketlens-")
    try:
        folder = Path(unpacked.name)
        archive.unpack(path, folder)
        return Bundle(_top(folder), unpacked)
    except BaseException:
        unpacked.cleanup()
        raise


_CONVERT = "pocketlens convert makes files of it for phones, pocketlens build a bundle"
_NO_BUNDLES = {
    **dict.fromkeys(
        (target.suffix for target in TARGETS.values()),
        (
            "one artifact",
            "pocketlens run plays it as it is; all else needs the bundle that it came in",
        ),
    ),
    ".onnx": ("an ONNX model", f"pocketlens run plays it as it is; {_CONVERT}"),
    ".mlmodel": (
        "a Core ML model of the older kind",
        "give the model that it was made from, an .onnx file or a checkpoint: what runs here are .mlpackage folders",
    ),
    ".ort": ("an onnxruntime model", "give the .onnx file that it was made from"),
    ".h5": ("a Keras model", "export it to .onnx with tf2onnx, and convert that"),
    ".keras": ("a Keras model", "export it to .onnx with tf2onnx, and convert that"),
    ".pb": ("a TensorFlow graph", "export it to .onnx with tf2onnx, and convert that"),
    **dict.fromkeys((".pt", ".pth", ".npz", ".safetensors", ".ckpt"), ("a checkpoint", _CONVERT)),
    ".toml": ("a recipe", "pocketlens build makes a bundle of it"),
}
"""By suffix: what a file is that is no bundle, and what to do with it."""


def _check_kind(path: Path) -> None:
    """Refuse what its name says to be something else; a bundle may be called anything but that."""
    kind, do = _NO_BUNDLES.get(path.suffix.lower(), ("", ""))
    if kind and not (path / manifest.NAME).is_file():
        raise InputError(f"{path} is {kind}, not a bundle", do=do)


def _beside(path: str, name: str) -> str:
    """The place in a bundle of a file that the artifact at ``path`` names."""
    return f"{path.rpartition('/')[0]}/{name}"


def _others(artifact: Path) -> list[str]:
    """The other files that an artifact keeps values in. One that is damaged is refused when a runtime is to open it."""
    try:
        return data_files(artifact)
    except InputError:
        return []


def _top(folder: Path) -> Path:
    """The folder that holds the manifest: desktop programs put the folder's name before every path in a zip."""
    inner = [p for p in folder.iterdir() if p.is_dir() and p.name != "__MACOSX"]
    wrapped = len(inner) == 1 and not (folder / manifest.NAME).exists() and (inner[0] / manifest.NAME).exists()
    return inner[0] if wrapped else folder


def _read_manifest(folder: Path) -> Manifest:
    path = _inside(folder, manifest.NAME)
    if path.stat().st_size > manifest.MAX_BYTES:
        raise InputError(f"{path} is larger than {manifest.MAX_BYTES:,} bytes", do=_REMAKE)
    try:
        return manifest.parse(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason}", do=_REMAKE) from error


def _inside(folder: Path, name: str) -> Path:
    """The regular file ``name`` of a bundle, reached without following a link."""
    if problem := paths.problem(name):
        raise InputError(f"{name!r} cannot be a file of a bundle: {problem}", do=_REMAKE)
    path = folder
    for part in name.split("/"):
        path = path / part
        if path.is_symlink():
            raise InputError(f"{name} is reached through a link, which a bundle may not hold", do=_REMAKE)
    if not path.is_file():
        what = f"{folder} is no bundle: it holds no {name}" if name == manifest.NAME else f"{name} is missing"
        raise InputError(what, do="give the folder that pocketlens build wrote" if name == manifest.NAME else _REMAKE)
    return path
