"""Plays ``.tflite`` files on LiteRT's own GPU engine: that of Android's LiteRT and of LiteRT.js.

The engine runs in a process of its own (:mod:`pocketlens.runtimes.litert_process`).
"""

import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pocketlens.errors import MissingError
from pocketlens.runtimes import litert_library as library
from pocketlens.runtimes import vulkan
from pocketlens.runtimes.adapter import Options, RuntimeInfo
from pocketlens.runtimes.litert_process import EngineProcess

SECONDS = 300.0
"""The longest that loading a file or playing a picture may take. SwiftShader took 9 s for the slowest generator."""
_ADAPTER = re.compile(r"Selected adapter: (.+?), arch=.*adapterType=(.+)")
_REFUSED = re.compile(r"^([A-Z][A-Z0-9_]*): (.+)$", re.MULTILINE)
_UNSUPPORTED = re.compile(r"Following operations are not supported by GPU delegate:(.*?)operations will run", re.DOTALL)


def start() -> EngineProcess:
    """The engine, with no file loaded.

    Raises:
        MissingError: It or a Vulkan driver is not here.
    """
    if error := missing():
        raise error
    return EngineProcess("LiteRT's GPU engine", SECONDS, "use the processor, another driver or a smaller size")


class Player:
    """A ``.tflite`` file on the GPU; what the GPU lacks, the processor computes.

    Args:
        path: The file.
        options: How to play it.
        engine: To load it into, in place of an own one; it is left running.

    Attributes:
        whole: Whether the GPU computes every operator.
        adapter: The GPU, as its driver calls it.
        refused: Operator → why the GPU does not compute it.

    Raises:
        InputError: The file is damaged, or the engine does not play it.
        MissingError: The engine or a Vulkan driver is not here.
    """

    def __init__(self, path: Path, options: Options, engine: EngineProcess | None = None) -> None:
        library.check_file(path)
        self._path, self._own = path, engine is None
        self._engine = engine or start()
        try:
            loaded = self._engine.load(path)
        except BaseException:
            self.close()
            raise
        self.inputs, self.outputs, self.whole = loaded.inputs, loaded.outputs, loaded.whole
        adapters: list[tuple[str, str]] = _ADAPTER.findall(self._engine.log())  # said once, with the first file
        self.adapter, kind = adapters[-1] if adapters else ("GPU", "")
        unsupported = [] if loaded.whole else _UNSUPPORTED.findall(loaded.printed)
        self.refused = dict(_REFUSED.findall(unsupported[-1])) if unsupported else {}
        emulated = "Software" in kind
        self._feeds = [self._engine.array("input", i, port) for i, port in enumerate(self.inputs)]
        self._results = [self._engine.array("output", i, port) for i, port in enumerate(self.outputs)]
        self.runtime_info = RuntimeInfo(
            "litert", library.version(), options.threads, "fp32" if emulated else "auto",
            delegate=self.adapter, library=library.LIBRARIES[library.name()], emulated=emulated,
            elsewhere="" if self.whole else ", ".join(self.refused) or "some operators",
        )  # fmt: skip

    def feed(self, index: int) -> NDArray[Any]:
        return self._feeds[index]

    def run(self) -> None:
        self._engine.run(self._path)

    def result(self, index: int) -> NDArray[Any]:
        return self._results[index]

    def close(self) -> None:
        self._feeds = self._results = []
        if self._own:
            self._engine.close()


def missing() -> MissingError | None:
    """Why the engine cannot be used here, and what to install; None where it can."""
    if library.name() != "ai_edge_litert" or not _engines():
        return MissingError(
            "this LiteRT has no GPU engine for this machine", do="pip install --upgrade 'ai-edge-litert>=2.3'"
        )
    if reason := vulkan.missing():
        return MissingError(f"LiteRT's GPU engine cannot start: {reason}", do=vulkan.INSTALL)
    return None


def _engines() -> list[Path]:
    from importlib.util import find_spec

    spec = find_spec("ai_edge_litert")
    folders = spec.submodule_search_locations if spec else None
    return [file for folder in folders or () for file in Path(folder).glob("libLiteRt*GpuAccelerator.*")]


def version() -> str:
    """The version of the library that plays."""
    return library.version()
