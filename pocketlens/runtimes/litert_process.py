"""LiteRT's newer interface in a process of its own (:mod:`pocketlens.runtimes.litert_process_worker`): what engine and
driver print reaches nobody, and one that hangs or crashes ends that process alone.
"""

import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.runtimes.ports import Port
from pocketlens.subprocesses import module_command, module_environment


class EngineError(InputError):
    """The engine crashed or did not answer in time: that says nothing of the file."""


@dataclass(frozen=True)
class Loaded:
    """A file that the engine has loaded.

    Attributes:
        inputs: Its inputs.
        outputs: Its outputs.
        whole: Whether the accelerator computes every operator.
        printed: What engine and driver printed meanwhile.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    whole: bool
    printed: str


class EngineProcess:
    """The engine. It plays one file at a time; starting it takes 0.6 s, loading another file less.

    Args:
        name: The engine's, for messages.
        seconds: The longest that an answer may take.
        do: What to tell the user to do where it does not play a file.
        lean_threads: Not the GPU's engine but the processor's, with this many threads, in little memory.
    """

    def __init__(self, name: str, seconds: float, do: str, lean_threads: int | None = None) -> None:
        self._name, self._seconds, self._do = name, seconds, do
        self._folder = TemporaryDirectory(prefix="pocketlens-litert-")
        self._log = (Path(self._folder.name) / "log").open("w+b")
        threads = () if lean_threads is None else (str(lean_threads),)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                module_command("pocketlens.runtimes.litert_process_worker", str(theirs.fileno()), *threads),
                env=module_environment(), pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
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
        return Loaded(inputs, outputs, whole, self.log()[before:])

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
        try:
            self._connection.send(question)
            answer: tuple[Any, ...] | None = self._connection.recv() if self._connection.poll(self._seconds) else None
        except (EOFError, OSError) as error:  # the process is gone
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            how = _ending(self._process.returncode)
            self.close()
            raise EngineError(f"{self._name} {how} with {path.name}", do=self._do) from error
        except BaseException:
            self.close()  # else the answer would be taken for that of the next question
            raise
        if answer is None:
            self.close()
            raise EngineError(f"{self._name} did not answer within {self._seconds:.0f} s for {path.name}", do=self._do)
        if answer[0] == "error":
            raise InputError(f"{self._name} cannot play {path}: {_last_line(answer[1])}", do=self._do)
        return answer[1:]


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"crashed ({signal.Signals(-code).name})"
    return f"ended with code {code}"


def _last_line(message: str) -> str:
    lines = [line.strip(" └") for line in message.splitlines() if line.strip(" └")]
    return lines[-1] if lines else "no reason is given"
