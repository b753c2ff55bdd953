"""Runs a saved ``.mlpackage`` anywhere: an interpreter of the program and the weights as they are stored.

For checking, not for speed: it shows what the package says, not what Apple's runtime makes of it. A package that
computes in fp16 is rounded to fp16 after each operation. Nothing of the converter is used to read its files.
"""

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.runtimes.adapter import Options
from pocketlens.runtimes.mil import package as packages
from pocketlens.runtimes.mil import program as programs
from pocketlens.runtimes.ports import Port

_RGB, _BGR = 20, 30
"""``ImageFeatureType.ColorSpace`` in the specification."""


class _Player:
    """The picture lies in an array that stays."""

    def __init__(self, path: Path, options: Options) -> None:
        import torch

        from pocketlens.runtimes.mil.interpreter import Interpreter
        from pocketlens.runtimes.mil.rules import RULES

        package = packages.read(path)
        program = programs.read(package, RULES.__contains__)
        description = package.spec.description
        if len(description.input) != 1 or len(description.output) != 1:
            raise packages.damaged(path, "its description does not have one input and one output")
        image, stylized = description.input[0], description.output[0]
        shape = (1, 3, *_size(path, image, program.image.type.shape))
        self.inputs = (Port(image.name, "float32", shape, reverse=_reversed(path, image)),)
        self.outputs = (Port(stylized.name, "float32", shape, reverse=_reversed(path, stylized)),)
        self._feed = np.zeros(shape, np.float32)
        self._result = self._feed
        self._interpreter = Interpreter(program)
        self._threads = options.threads
        self.facts: dict[str, Any] = {
            "version": version(),
            "threads": options.threads or torch.get_num_threads(),
            "precision": program.precision,
            "interpreted": True,
        }

    def feed(self, index: int) -> NDArray[Any]:
        return self._feed

    def run(self) -> None:
        import torch

        before = torch.get_num_threads()
        # torch has one number of threads for the whole process: it is put back.
        torch.set_num_threads(self._threads or before)
        try:
            self._result = self._interpreter.run(self._feed)
        finally:
            torch.set_num_threads(before)

    def result(self, index: int) -> NDArray[Any]:
        return self._result

    def close(self) -> None:
        del self._interpreter


def _size(path: Path, feature: Any, shape: tuple[int | None, ...]) -> tuple[int, int]:
    if feature.type.WhichOneof("Type") == "imageType":
        return int(feature.type.imageType.height), int(feature.type.imageType.width)
    if len(shape) != 4 or shape[2] is None or shape[3] is None:
        raise InputError(
            f"{path} takes {list(shape)}, expected [1, 3, height, width]", do="convert it for a fixed size"
        )
    return shape[2], shape[3]


def _reversed(path: Path, feature: Any) -> bool:
    """Whether Core ML hands this picture over in the order blue, green, red."""
    if feature.type.WhichOneof("Type") != "imageType":
        return False
    space = feature.type.imageType.colorSpace
    if space not in (_RGB, _BGR):
        raise InputError(f"{path}: {feature.name!r} is not a colour picture", do="convert it with RGB pictures")
    return bool(space == _BGR)


def open(path: Path, options: Options) -> _Player:
    """Load a package; see :mod:`pocketlens.runtimes.adapter`. Takes seconds: torch and coremltools are imported."""
    return _Player(path, options)


def version() -> str:
    """The installed coremltools' version, without importing it."""
    return metadata.version("coremltools")
