"""Finds the files of a ``.mlpackage`` and reads its specification; nothing outside the package is ever opened."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens.errors import InputError
from pocketlens.runtimes import apple

MAX_SPECIFICATION = 1 << 30
"""Largest ``model.mlmodel`` that is parsed, in bytes."""


def damaged(path: Path, what: str) -> InputError:
    """The error for a package that cannot be what it claims to be."""
    return InputError(
        f"{path} is not a readable Core ML package: {what}", do="check that it is whole, or build it again"
    )


@dataclass(frozen=True)
class Package:
    """A package on disk.

    Attributes:
        path: The ``.mlpackage`` folder.
        home: The folder of its specification, to which weight files are relative.
        spec: The parsed ``CoreML.Specification.Model``.
    """

    path: Path
    home: Path
    spec: Any

    def weight_file(self, name: str) -> Path:
        """The file that a constant names, for instance ``@model_path/weights/weight.bin``.

        Raises:
            InputError: It lies outside the package, or is absent.
        """
        prefix = "@model_path/"
        if not name.startswith(prefix):
            raise damaged(self.path, f"a weight file is named {name!r}, expected {prefix}…")
        return _inside(self.path, self.home / name.removeprefix(prefix))


def _inside(package: Path, file: Path) -> Path:
    """The file, if it is there and within the package once every link is followed."""
    try:
        real = file.resolve()
        if not real.is_relative_to(package.resolve()):
            raise damaged(package, f"it points outside itself, to {file}")
        if not real.is_file():
            raise damaged(package, f"{file.name} is missing")
    except (OSError, ValueError, RuntimeError) as error:  # a name with a zero byte, a loop of links, no permission
        raise damaged(package, f"{file!s} cannot be opened: {error}") from error
    return real


def _specification_file(path: Path) -> Path:
    try:
        manifest = json.loads(_inside(path, path / "Manifest.json").read_text())
        item = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        file = path / "Data" / item
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, f"Manifest.json does not say where the model is ({error})") from error
    return _inside(path, file)


def read(path: Path) -> Package:
    """Read a package's manifest and specification; the weights stay on disk.

    Raises:
        InputError: It is not a folder, or a file is missing, damaged, too large, or outside the package.
        MissingError: coremltools, which has the format's protobuf classes, is not installed.
    """
    if not path.is_dir():
        raise damaged(path, "it is not a folder")
    file = _specification_file(path)
    if file.stat().st_size > MAX_SPECIFICATION:
        raise damaged(path, f"{file.name} has {file.stat().st_size:,} bytes, more than {MAX_SPECIFICATION:,}")
    apple.coremltools()
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    spec = Model_pb2.Model()
    try:
        spec.ParseFromString(file.read_bytes())
    except (OSError, DecodeError) as error:
        raise damaged(path, f"{file.name} cannot be parsed ({error})") from error
    if spec.WhichOneof("Type") != "mlProgram":
        raise InputError(
            f"{path} holds a {spec.WhichOneof('Type') or 'model of unknown kind'}, expected an ML Program",
            do="convert it for iOS 15 or later",
        )
    package = Package(path, file.parent, spec)
    for name in set(_weight_names(spec)):
        package.weight_file(name)
    return package


def _weight_names(message: Any) -> Iterator[str]:
    """The weight files that a message names, wherever in it: each is to lie in the package, used or not."""
    from google.protobuf.message import Message

    for field, value in message.ListFields():
        if field.name == "blobFileValue":
            yield value.fileName
        elif field.message_type is None:
            continue
        elif field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for inner in value.values():
                    yield from _weight_names(inner)
        else:
            for inner in [value] if isinstance(value, Message) else value:
                yield from _weight_names(inner)
