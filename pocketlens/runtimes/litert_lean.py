"""Plays a large ``.tflite`` file in less memory than LiteRT's interpreter takes, for the same pictures.

XNNPACK keeps a pointer for each output pixel and tap of every convolution: 361 MB for one of 7 x 7 at 720 x 1280. It
can make them anew for each convolution instead, in memory that all share, for a quarter more time. Only LiteRT's newer
interface passes that wish on. That one prints lines of its own until its process ends, so it runs in another.
"""

import math
import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketlens.runtimes.litert_process import EngineProcess

SECONDS = 3600.0
"""The longest that loading the file or playing a picture may take; the interpreter itself has no limit."""
LARGE = 1 << 18
"""Pixels of a picture from which on it is worth it: those of 512 x 512."""


class LeanModel:
    """A file in LiteRT's newer interface.

    Args:
        path: The file.
        threads: Number of threads.

    Attributes:
        feeds: An array for each input.
        results: One for each output.

    Raises:
        InputError: It does not take the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._engine = EngineProcess("LiteRT", SECONDS, "see whether memory is short, or try a smaller size", threads)
        try:
            loaded = self._engine.load(path)
        except BaseException:
            self._engine.close()
            raise
        self.feeds = [self._engine.array("input", i, port) for i, port in enumerate(loaded.inputs)]
        self.results: list[NDArray[Any]] = [
            self._engine.array("output", i, port) for i, port in enumerate(loaded.outputs)
        ]

    def run(self) -> None:
        """Compute the results of what stands in the feeds.

        Raises:
            InputError: It fails.
        """
        self._engine.run(self._path)

    def close(self) -> None:
        """End the process."""
        self.feeds, self.results = [], []
        self._engine.close()


def is_large(interpreter: Any) -> bool:
    """Whether an opened file takes a picture of :data:`LARGE` pixels and more, leaves no size open, and has one
    signature.
    """
    shapes = [tuple(detail.get("shape_signature", detail["shape"])) for detail in interpreter.get_input_details()]
    if sys.platform == "win32" or len(interpreter.get_signature_list()) != 1:
        return False
    if any(length < 1 for shape in shapes for length in shape):
        return False
    return any(len(shape) == 4 and math.prod(shape) >= 3 * LARGE for shape in shapes)
