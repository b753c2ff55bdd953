"""Workers on a machine that is reached by a command: what ssh and adb have in common."""

import io
import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pocketlens import files
from pocketlens.bench.channel import Channel, LostError, WorkerError
from pocketlens.bench.devices import runner
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.devices.local import decode, first_from, load_from, loading
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bundle import typed
from pocketlens.errors import MissingError
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

GREETING = "pocketlens-worker 1"
"""As in ``pocketlens.bench.worker``, which is not imported here: it is the other half."""
_IDLE = 900
"""Seconds after which a worker that nobody asks anything ends itself: its asker may have lost the connection."""
_COPY_SECONDS = 600.0
_PROBE = """
import sys, json, platform
from importlib.util import find_spec
libc = platform.libc_ver()[1] or '0.0'
names = ['numpy', 'PIL', 'onnxruntime', 'openvino', 'ai_edge_litert', 'tflite_runtime']
print('pocketlens-probe ' + json.dumps({'python': list(sys.version_info[:2]), 'machine': platform.machine(),
    'glibc': libc, 'modules': [name for name in names if find_spec(name)]}))
"""


class Transport(Protocol):
    """How a machine is reached.

    Attributes:
        name: The device as users write it.
        cache: A folder there, as its shell writes it, that is kept between measurements.
    """

    name: str
    cache: str

    def command(self, line: str) -> list[str]:
        """The command that runs a shell line there, with its standard input and output."""
        ...

    def run(self, line: str, seconds: float, given: bytes = b"") -> str:
        """Run a shell line there and return what it printed.

        Raises:
            WorkerError: It failed; a LostError if the machine could not be reached.
            MissingError: The machine cannot be reached at all; the message says what to do.
        """
        ...

    def put(self, source: Path, target: str) -> None:
        """Copy a file there."""
        ...

    def lost(self, code: int | None) -> str:
        """Whether a command failed because the machine could not be reached: why, or an empty string.

        Args:
            code: How the command that reached it has ended, or None if it has not.
        """
        ...

    def again(self) -> None:
        """Reach it once more, after a loss. Raises LostError if that fails."""
        ...

    def close(self) -> None:
        """Let go of what was held to reach it."""
        ...


@dataclass(frozen=True)
class Probe:
    """What a machine's Python says of itself."""

    python: tuple[int, int]
    machine: str
    glibc: str
    modules: tuple[str, ...]

    def has(self, runtime: str) -> bool:
        """Whether everything for a runtime is installed there."""
        return {"numpy", "PIL"} <= set(self.modules) and any(
            name in self.modules for name in RUNTIMES[runtime].libraries
        )

    @property
    def platform(self) -> runner.Platform:
        """What decides which wheels fit; a musl or Android Python has no glibc, and nothing fits it."""
        major, minor = (int(part) for part in self.glibc.split(".")[:2])
        return runner.Platform(self.machine, self.python, (major, minor))


class RemoteWorker:
    """A worker there; see :class:`~pocketlens.bench.devices.device.Worker`."""

    def __init__(self, reach: Transport, line: str, folder: str) -> None:
        self._reach, self._folder = reach, folder
        self.channel = Channel(reach.command(line), greeting=GREETING)

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        there = f"{self._folder}/{files.sha256(path)[:16]}"
        parts = files.artifact_files(path)
        for part in parts:
            inner = files.files_under(part) if part.is_dir() else [part]
            for one in inner:
                _copy_once(self._reach, one, f"{there}/{one.relative_to(path.parent).as_posix()}")
        return load_from(self._ask(loading(f"{there}/{path.name}", runtime, options), seconds))

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        names: dict[str, str | None] = {}
        for name, pixels in (("picture", picture), ("expected", expected)):
            names[name] = None
            if pixels is not None:
                buffer = io.BytesIO()
                np.save(buffer, pixels)
                data = buffer.getvalue()
                names[name] = f"{self._folder}/{files.key_of(npy=data.hex())[:16]}.npy"
                self._reach.run(_writing(str(names[name])), _COPY_SECONDS, data)
        return first_from(self._ask({"do": "first", **names}, seconds))

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        return decode(BlockTimes, self._ask({"do": "play", "seconds": block_seconds, "count": block_count}, seconds))

    def peak_mb(self, seconds: float) -> float | None:
        return float(self._ask({"do": "memory"}, seconds)["peak_mb"])

    def host(self, seconds: float) -> tuple[Host, str]:
        """The machine, and why it counts as emulated (empty for a real one)."""
        answer = self._ask({"do": "host"}, seconds)
        return typed.build(Host, answer["host"], "answer"), str(answer["emulation"])

    def snapshot(self, seconds: float) -> Snapshot:
        """What of the machine changes."""
        return typed.build(Snapshot, self._ask({"do": "snapshot"}, seconds)["snapshot"], "answer")

    def close(self) -> None:
        self.channel.close()

    def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        try:
            return self.channel.ask(question, seconds)
        except LostError:
            raise
        except WorkerError as error:
            if why := self._reach.lost(self.channel.process.returncode):
                raise LostError(f"the connection was lost during {question['do']!r}: {why}", do=error.do) from error
            raise


def _writing(target: str) -> str:
    """A shell line that writes its input to a file, whole or not at all."""
    quoted, folder = shlex.quote(target), shlex.quote(target.rpartition("/")[0])
    return f"mkdir -p {folder} && cat > {quoted}.part && mv {quoted}.part {quoted}"


def _copy_once(reach: Transport, source: Path, target: str) -> None:
    """Copy a file unless it is there, so that a measurement which goes on after a loss does not start over."""
    size = f"wc -c < {shlex.quote(target)} 2>/dev/null || true"
    if reach.run(size, 60).strip() == str(source.stat().st_size):
        return
    reach.run(f"mkdir -p {shlex.quote(target.rpartition('/')[0])}", 60)
    reach.put(source, target)


class RemoteDevice:
    """A device whose workers are Python processes; see :class:`~pocketlens.bench.devices.device.Device`.

    Args:
        reach: How it is reached.
        python: Its Python, as its shell writes it.
    """

    def __init__(self, reach: Transport, python: str) -> None:
        self.name = reach.name
        self.emulated = False
        self.why_emulated = ""
        self.reach = reach
        self._python = python
        self._path: list[str] = []
        self._folder = ""
        self._attendant: RemoteWorker | None = None

    @cached_property
    def probe(self) -> Probe:
        """What its Python says; asked once.

        Raises:
            MissingError: It cannot be reached, has no Python, or one that is too old.
        """
        try:
            said = self.reach.run(f"{self._python} -c {shlex.quote(_PROBE)}", 60)
        except LostError as error:
            raise MissingError(error.what, do=error.do) from error
        except WorkerError as error:
            raise MissingError(f"{self.name} has no {self._python}: {error.what}", do=_PYTHON) from error
        lines = [line for line in said.splitlines() if line.startswith("pocketlens-probe ")]
        if not lines:
            raise MissingError(f"{self._python} on {self.name} said {said[-80:]!r}", do=_PYTHON)
        found = typed.build(Probe, json.loads(lines[-1].split(" ", 1)[1]), "probe")
        if found.python < runner.OLDEST:
            version = ".".join(map(str, found.python))
            raise MissingError(f"{self.name} has Python {version}, 3.11 or newer is needed", do=_PYTHON)
        return found

    def missing(self, runtime: str) -> str:
        if self.probe.has(runtime):
            return ""
        if runtime not in runner.LIBRARIES:
            return f"{runtime} does not run on {self.name}"
        if self.probe.glibc == "0.0":
            return f"{RUNTIMES[runtime].libraries[0]} is not installed on {self.name}, and wheels do not fit it"
        return ""

    def delegates(self, runtime: str) -> Sequence[str]:
        return RUNTIMES[runtime].delegates

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Copy the runner there, and the libraries that it lacks.

        Raises:
            MissingError: It cannot be reached, or what it lacks cannot be had.
        """
        cache = self.reach.run(f"mkdir -p {self.reach.cache} && cd {self.reach.cache} && pwd", 60).strip()
        # What a killed measurement has left is a day old; a living one renews its folder by working in it.
        self.reach.run(f"find {shlex.quote(cache)} -maxdepth 1 -name 'run-*' -mtime +0 -exec rm -rf '{{}}' +", 60)
        self._folder = self.reach.run(f"mktemp -d {shlex.quote(cache)}/run-XXXXXX", 60).strip()
        self._path = [self._unpack(cache, "runner", *runner.archive())]
        lacking = [name for name in runtimes if name in runner.LIBRARIES and not self.probe.has(name)]
        if lacking:
            name, tar = runner.site(runner.requirements(lacking), self.probe.platform)
            self._path.append(self._unpack(cache, "site", name, tar))

    def _unpack(self, cache: str, kind: str, name: str, tar: bytes | Path) -> str:
        target, part = f"{cache}/{kind}-{name}", f"{self._folder}/{kind}"
        present = self.reach.run(f"test -d {shlex.quote(target)} && echo yes || true", 60).strip() == "yes"
        if not present:
            data = tar if isinstance(tar, bytes) else tar.read_bytes()
            how = "-x" if isinstance(tar, bytes) else "-xz"
            quoted = shlex.quote(part)
            move = f"mv {quoted} {shlex.quote(target)} 2>/dev/null || test -d {shlex.quote(target)}"
            self.reach.run(f"mkdir {quoted} && tar {how}f - -C {quoted} && {{ {move}; }}", _COPY_SECONDS, data)
        return target

    def host(self) -> Host:
        found, self.why_emulated = self._attend().host(60)
        self.emulated = bool(self.why_emulated)
        return found

    def snapshot(self) -> Snapshot:
        return self._attend().snapshot(20)

    def start(self) -> RemoteWorker:
        python_path = ":".join(self._path)
        line = f"cd / && PYTHONPATH={shlex.quote(python_path)} exec {self._python} -P -m pocketlens.bench.worker"
        return RemoteWorker(self.reach, f"{line} --greet --idle {_IDLE}", self._folder)

    def again(self) -> None:
        if self._attendant is not None:
            self._attendant.close()
            self._attendant = None
        self.reach.again()

    def close(self) -> None:
        if self._attendant is not None:
            self._attendant.close()
            self._attendant = None
        try:
            if self._folder:
                self.reach.run(f"rm -rf {shlex.quote(self._folder)}", 30)
        except (WorkerError, MissingError):
            pass  # it is gone; the next measurement there sweeps up
        finally:
            self._folder = ""
            self.reach.close()

    def _attend(self) -> RemoteWorker:
        if self._attendant is None:
            self._attendant = self.start()
        return self._attendant


_PYTHON = "install python3 (3.11 or newer) there, or name another: --device 'ssh://HOST?python=/path/to/python'"


def run_command(command: Sequence[str], seconds: float, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command here, with a limit.

    Raises:
        WorkerError: It is not installed, or took longer.
    """
    try:
        return subprocess.run(
            command, input=given, capture_output=True, timeout=seconds, check=False, start_new_session=True
        )
    except FileNotFoundError as error:
        raise MissingError(f"{command[0]} is not installed", do="install it") from error
    except subprocess.TimeoutExpired as error:
        raise LostError(f"no answer within {seconds:g} s", do="look at the device and its connection") from error
