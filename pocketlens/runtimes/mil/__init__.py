"""Runs a saved ``.mlpackage`` anywhere: an interpreter of the program and the weights as they are stored.

It is for checking, not for speed: it computes what the package declares, which Apple's runtime may compute otherwise. A
package that computes in fp16 is rounded to fp16 after each operation. It reads files with none of the converter's code.
"""

from importlib import metadata
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketlens.runtimes.adapter import Options, RuntimeInfo
from pocketlens.runtimes.mil import package as packages
from pocketlens.runtimes.mil import pictures
from pocketlens.runtimes.mil import program as programs
from pocketlens.runtimes.ports import Port


class Player:
    """A package. Loading takes seconds, because torch and coremltools are imported. Arrays for the inputs are allocated
    once.
    """

    def __init__(self, path: Path, options: Options) -> None:
        import torch

        from pocketlens.runtimes.mil.interpreter import Interpreter
        from pocketlens.runtimes.mil.rules import RULES

        package = packages.read(path)
        program = programs.read(package, RULES.__contains__)
        image, *outputs = pictures.ports(path, package.spec.description, program)
        self.inputs = (image, *(Port(other.name, "float32", other.type.shape) for other in program.others))
        self.outputs = tuple(outputs)
        self._feeds = [port.allocate() for port in self.inputs]
        self._results = [self._feeds[0]]
        self._interpreter = Interpreter(program)
        self._threads = options.threads
        threads = options.threads or torch.get_num_threads()
        self.runtime_info = RuntimeInfo("mil", version(), threads, program.precision, interpreted=True)

    def feed(self, index: int) -> NDArray[Any]:
        return self._feeds[index]

    def run(self) -> None:
        import torch

        before = torch.get_num_threads()
        # torch has one number of threads for the whole process: it is put back.
        torch.set_num_threads(self._threads or before)
        try:
            self._results = self._interpreter.run(*self._feeds)
        finally:
            torch.set_num_threads(before)

    def result(self, index: int) -> NDArray[Any]:
        return self._results[index]

    def close(self) -> None:
        del self._interpreter


def version() -> str:
    """The installed coremltools' version, without importing it."""
    return metadata.version("coremltools")
