"""Plays ``.tflite`` files on LiteRT's own GPU engine: that of Android's LiteRT and of LiteRT.js.

The engine runs in a process of its own (:mod:`pocketlens.runtimes.litert_gpu_worker`): what it and the driver print
reaches nobody, and a driver that hangs or crashes ends that process alone.
"""

import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes import litert_library as library
from pocketlens.runtimes import vulkan
from pocketlens.runtimes.adapter import Options, RuntimeInfo
from pocketlens.runtimes.ports import Port

SECONDS = 300.0
"""The longest that loading a file or playing a picture may take. SwiftShader took 9 s for the slowest generator."""
_ADAPTER = re.compile(r"Selected adapter: (.+?), arch=.*adapterType=(.+)")
_REFUSED = re.compile(r"^([A-Z][A-Z0-9_]*): (.+)$", re.MULTILINE)
_UNSUPPORTED = re.compile(r"Following operations are not supported by GPU delegate:(.*?)operations will run", re.DOTALL)


class EngineError(InputError):
    """The engine crashed or did not answer in time: that says nothing of the file."""


@dataclass(frozen=True)
class Loaded:
    """A file that the engine has loaded.

    Attributes:
        inputs: Its inputs.
        outputs: Its outputs.
        whole: Whether the GPU computes every operator.
        adapter: The GPU, as its driver calls it.
        emulated: Whether that is software.
        refused: Operator → why the GPU does not compute it.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    whole: bool
    adapter: str
    emulated: bool
    refused: dict[str, str]


class EngineProcess:
    """The engine. It plays one file at a time; starting it takes 0.6 s, loading another file less.

    Args:
        seconds: The longest that an answer may take.
        lean_threads: Not the GPU's engine but the processor's, with this many threads, in little memory; see
            :mod:`pocketlens.runtimes.litert_lean`.

    Raises:
        MissingError: The engine or a Vulkan driver is not here.
    """

    def __init__(self, seconds: float = SECONDS, lean_threads: int | None = None) -> None:
        if lean_threads is None and (error := missing()):
            raise error
        self._seconds, self._name = seconds, "LiteRT's GPU engine" if lean_threads is None else "LiteRT"
        self._folder = TemporaryDirectory(prefix="pocketlens-gpu-")
        self._log = (Path(self._folder.name) / "log").open("w+b")
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pocketlens.runtimes.litert_gpu_worker", str(theirs.fileno())),
                    *(() if lean_threads is None else (str(lean_threads),)),
                ],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            )  # fmt: skip
        self._connection = Connection(ours.detach())

    def load(self, path: Path) -> Loaded:
        """Load a file in place of the one before.

        Raises:
            InputError: The engine does not play it.
            EngineError: The engine crashed or did not answer in time; it is closed then.
        """
        before = len(self.log())
        inputs, outputs, whole = self._ask(path, "load", str(path.resolve()), self._folder.name)
        log = self.log()
        adapters = _ADAPTER.findall(log)
        name, kind = adapters[-1] if adapters else ("GPU", "")
        unsupported = [] if whole else _UNSUPPORTED.findall(log[before:])
        refused = dict(_REFUSED.findall(unsupported[-1])) if unsupported else {}
        ports = tuple(tuple(Port(*port) for port in side) for side in (inputs, outputs))
        return Loaded(ports[0], ports[1], whole, name, "Software" in kind, refused)

    def array(self, kind: str, index: int, port: Port) -> NDArray[Any]:
        """The memory of an ``input`` or ``output`` of the loaded file."""
        return np.memmap(Path(self._folder.name) / f"{kind}{index}", port.dtype, "r+", shape=port.shape)

    def run(self, path: Path) -> None:
        """Compute the loaded file's outputs.

        Raises:
            EngineError: The engine crashed, did not answer in time, or failed with a file that it had taken, which says
                nothing of the file: "Failed to lock custom tensor buffer" was seen once on a busy machine, and the
                same file played afterwards. It is closed then.
        """
        try:
            self._ask(path, "run")
        except EngineError:
            raise
        except InputError as error:
            self.close()
            raise EngineError(error.what, do="try again") from error

    def log(self) -> str:
        """What engine and driver have printed."""
        return (Path(self._folder.name) / "log").read_text(errors="replace")

    @property
    def closed(self) -> bool:
        """Whether the process has ended."""
        return self._connection.closed

    def close(self) -> None:
        """End the process; closing twice is fine."""
        self._connection.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def _ask(self, path: Path, *question: Any) -> tuple[Any, ...]:
        answer: tuple[Any, ...] | None = None
        with suppress(EOFError, OSError):  # the process is gone
            self._connection.send(question)
            if not self._connection.poll(self._seconds):
                self.close()
                raise EngineError(
                    f"{self._name} did not answer within {self._seconds:.0f} s for {path.name}",
                    do="try a smaller size, or another driver",
                )
            answer = self._connection.recv()
        if answer is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            how = _ending(self._process.returncode)
            self.close()
            raise EngineError(f"{self._name} {how} with {path.name}", do="try another driver, or the processor")
        if answer[0] == "error":
            raise InputError(f"{self._name} cannot play {path}: {_last_line(answer[1])}", do="use the processor")
        return answer[1:]


class Player:
    """A ``.tflite`` file on the GPU; what the GPU lacks, the processor computes.

    Args:
        path: The file.
        options: How to play it.
        engine: To load it into, in place of an own one; it is left running.

    Attributes:
        loaded: What the engine says of the file.

    Raises:
        InputError: The file is damaged, or the engine does not play it.
        MissingError: The engine or a Vulkan driver is not here.
    """

    def __init__(self, path: Path, options: Options, engine: EngineProcess | None = None) -> None:
        library.check_file(path)
        self._path, self._own = path, engine is None
        self._engine = engine or EngineProcess()
        try:
            self.loaded = loaded = self._engine.load(path)
        except BaseException:
            self.close()
            raise
        self.inputs, self.outputs = loaded.inputs, loaded.outputs
        self._feeds = [self._engine.array("input", i, port) for i, port in enumerate(self.inputs)]
        self._results = [self._engine.array("output", i, port) for i, port in enumerate(self.outputs)]
        self.runtime_info = RuntimeInfo(
            "litert", library.version(), options.threads, "fp32" if loaded.emulated else "auto",
            delegate=loaded.adapter, library=library.LIBRARIES[library.name()], emulated=loaded.emulated,
            elsewhere="" if loaded.whole else ", ".join(loaded.refused) or "some operators",
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


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"crashed ({signal.Signals(-code).name})"
    return f"ended with code {code}"


def _last_line(message: str) -> str:
    lines = [line.strip(" └") for line in message.splitlines() if line.strip(" └")]
    return lines[-1] if lines else "no reason is given"


def version() -> str:
    """The version of the library that plays."""
    return library.version()
