"""Workers on a machine that is reached by a command: what ssh and adb have in common."""

import io
import re
import shlex
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pocketlens import files
from pocketlens.bench.channel import Channel
from pocketlens.bench.devices import probe as probes
from pocketlens.bench.devices import runner
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.devices.worker_protocol import (
    load_command,
    parse_block,
    parse_first_frame,
    parse_host,
    parse_load,
    parse_peak_mb,
    parse_snapshot,
    play_command,
)
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bench.errors import AnswerError, LostError, WorkerError
from pocketlens.bench.limits import MAX_ANSWER_BYTES, MAX_TEXT, picture_bytes
from pocketlens.errors import MissingError, PocketlensError
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

GREETING = "pocketlens-worker 2"
"""As in ``pocketlens.bench.worker``. That module is not imported here: it runs on the device."""
_IDLE_SECONDS = 900
"""A worker that gets no command for so long ends itself: the connection may be lost."""
_COPY_SECONDS = 600.0


class Transport(Protocol):
    """A way to run commands on another machine and to copy files there.

    Attributes:
        name: The device as users write it.
        cache: A folder there, as its shell writes it, that is kept between measurements.
    """

    name: str
    cache: str

    def command(self, line: str) -> list[str]:
        """The command that runs a shell line there, with its standard input and output."""
        ...

    def run(self, line: str, seconds: float, stdin: bytes = b"") -> str:
        """Run a shell line there and return its standard output.

        Raises:
            WorkerError: The line failed; a LostError if the machine could not be reached.
            MissingError: The machine cannot be reached at all; the message says what to do.
        """
        ...

    def put(self, source: Path, target: str) -> None:
        """Copy a file there."""
        ...

    def lost(self, code: int | None) -> str:
        """Why the machine cannot be reached any more, or an empty string if it can.

        Args:
            code: The exit code of the command that reached it, or None if that command has not ended.
        """
        ...

    def reconnect(self) -> None:
        """Reach the machine again after a loss. Raises LostError if that fails."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class RemoteWorker:
    """A worker on another machine; see :class:`~pocketlens.bench.devices.device.Worker`."""

    def __init__(self, transport: Transport, line: str, folder: str) -> None:
        self._transport, self._folder = transport, folder
        self.channel = Channel(transport.command(line), greeting=GREETING)

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        folder = f"{self._folder}/{files.sha256(path)[:16]}"
        for part in files.artifact_files(path):
            for source in files.files_under(part) if part.is_dir() else [part]:
                _copy_once(self._transport, source, f"{folder}/{source.relative_to(path.parent).as_posix()}")
        return parse_load(self._ask(load_command(f"{folder}/{path.name}", runtime, options), seconds))

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        paths = {
            "picture": self._copy_array(picture),
            "expected": None if expected is None else self._copy_array(expected),
        }
        answer = self._ask(
            {"do": "first", **paths}, seconds, picture_bytes((picture if expected is None else expected).size)
        )
        return parse_first_frame(answer, picture, expected)

    def _copy_array(self, pixels: Picture) -> str:
        """Copy a picture there as a ``.npy`` file, and return its path there."""
        buffer = io.BytesIO()
        np.save(buffer, pixels)
        data = buffer.getvalue()
        path = f"{self._folder}/{files.key_of(npy=data.hex())[:16]}.npy"
        self._transport.run(_write_line(path), _COPY_SECONDS, data)
        return path

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        began_s = time.monotonic()
        answer = self._ask(play_command(block_seconds, block_count), seconds)
        return parse_block(answer, block_count, time.monotonic() - began_s)

    def peak_mb(self, seconds: float) -> float | None:
        return parse_peak_mb(self._ask({"do": "memory"}, seconds))

    def camera_ms(self, seconds: float) -> tuple[float, ...]:
        return ()

    def host(self, seconds: float) -> tuple[Host, str]:
        """The machine's facts, and why it counts as emulated (empty for a real one)."""
        return parse_host(self._ask({"do": "host"}, seconds))

    def snapshot(self, seconds: float) -> Snapshot:
        """The machine's state now."""
        return parse_snapshot(self._ask({"do": "snapshot"}, seconds))

    def close(self) -> None:
        self.channel.close()

    def _ask(self, command: dict[str, Any], seconds: float, most: int = MAX_ANSWER_BYTES) -> dict[str, Any]:
        try:
            return self.channel.ask(command, seconds, most)
        except LostError:
            raise
        except WorkerError as error:
            if reason := self._transport.lost(self.channel.process.returncode):
                raise LostError(f"the connection was lost during {command['do']!r}: {reason}", do=error.do) from error
            raise


def path_there(printed: str) -> str:
    """The path that a shell there has printed.

    Raises:
        AnswerError: It is none.

    Example:
        >>> path_there("/tmp/run-a1\\n")
        '/tmp/run-a1'
    """
    path = printed.strip()
    if not re.fullmatch(r"/[^\x00-\x1f\x7f]*", path) or len(path) > MAX_TEXT:
        raise AnswerError(f"{path[:60]!r} is no path of a folder", do="look at the device: it is not right")
    return path


def _write_line(target: str) -> str:
    """A shell line that writes its input to a file, whole or not at all."""
    quoted, folder = shlex.quote(target), shlex.quote(target.rpartition("/")[0])
    return f"mkdir -p {folder} && cat > {quoted}.part && mv {quoted}.part {quoted}"


def _copy_once(transport: Transport, source: Path, target: str) -> None:
    """Copy a file unless it is there: after a lost connection only the rest is copied."""
    size = f"wc -c < {shlex.quote(target)} 2>/dev/null || true"
    if transport.run(size, 60).strip() == str(source.stat().st_size):
        return
    transport.run(f"mkdir -p {shlex.quote(target.rpartition('/')[0])}", 60)
    transport.put(source, target)


class RemoteDevice:
    """A device whose workers are Python processes; see :class:`~pocketlens.bench.devices.device.Device`.

    Args:
        transport: How it is reached.
        python: Its Python, as its shell writes it.
    """

    def __init__(self, transport: Transport, python: str) -> None:
        self.name = transport.name
        self.emulated = False
        self.together = ""
        self.why_emulated = ""
        self.transport = transport
        self._python = python
        self._path: list[str] = []
        self._folder = ""
        self._monitor: RemoteWorker | None = None

    @cached_property
    def probe(self) -> probes.Probe:
        """The facts that its Python reports; asked once.

        Raises:
            MissingError: It cannot be reached, has no Python, or one that is too old.
            AnswerError: What it says of itself cannot be.
        """
        try:
            printed = self.transport.run(f"{self._python} -c {shlex.quote(probes.SCRIPT)}", 60)
        except LostError as error:
            raise MissingError(error.what, do=error.do) from error
        except WorkerError as error:
            raise MissingError(f"{self.name} has no {self._python}: {error.what}", do=_PYTHON) from error
        probe = probes.parse(printed)
        if probe is None:
            raise MissingError(f"{self._python} on {self.name} said {printed[-80:]!r}", do=_PYTHON)
        if probe.python < runner.OLDEST_PYTHON:
            version = ".".join(map(str, probe.python))
            raise MissingError(f"{self.name} has Python {version}, 3.11 or newer is needed", do=_PYTHON)
        return probe

    def missing(self, runtime: str) -> str:
        if not runner.has_wheels(runtime):
            return f"{runtime} does not run on {self.name}"
        if self.probe.has(runtime):
            return ""
        if self.probe.glibc == "0.0":
            return f"{RUNTIMES[runtime].libraries[0]} is not installed on {self.name}, and wheels do not fit it"
        return ""

    def accelerators(self, runtime: str) -> Sequence[str]:
        return RUNTIMES[runtime].accelerators

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Copy the runner there, and the libraries that the device lacks.

        Raises:
            MissingError: The device cannot be reached, or a library that it lacks cannot be fetched.
        """
        cache = path_there(
            self.transport.run(f"mkdir -p {self.transport.cache} && cd {self.transport.cache} && pwd", 60)
        )
        # Folders of killed measurements are older than a day; a running one changes its folder.
        self.transport.run(f"find {shlex.quote(cache)} -maxdepth 1 -name 'run-*' -mtime +0 -exec rm -rf '{{}}' +", 60)
        self._folder = path_there(self.transport.run(f"mktemp -d {shlex.quote(cache)}/run-XXXXXX", 60))
        self._path = [self._unpack(cache, "runner", *runner.archive())]
        lacking = [name for name in runtimes if runner.has_wheels(name) and not self.probe.has(name)]
        if lacking:
            name, tar = runner.site_packages(runner.requirements(lacking), self.probe.platform)
            self._path.append(self._unpack(cache, "site", name, tar))

    def _unpack(self, cache: str, kind: str, name: str, tar: bytes | Path) -> str:
        target, part = f"{cache}/{kind}-{name}", f"{self._folder}/{kind}"
        present = self.transport.run(f"test -d {shlex.quote(target)} && echo yes || true", 60).strip() == "yes"
        if not present:
            data = tar if isinstance(tar, bytes) else tar.read_bytes()
            extract = "-x" if isinstance(tar, bytes) else "-xz"
            quoted = shlex.quote(part)
            move = f"mv {quoted} {shlex.quote(target)} 2>/dev/null || test -d {shlex.quote(target)}"
            self.transport.run(f"mkdir {quoted} && tar {extract}f - -C {quoted} && {{ {move}; }}", _COPY_SECONDS, data)
        return target

    def host(self) -> Host:
        host, self.why_emulated = self._monitor_worker().host(60)
        self.emulated = bool(self.why_emulated)
        return host

    def snapshot(self) -> Snapshot:
        return self._monitor_worker().snapshot(20)

    def start(self) -> RemoteWorker:
        python_path = ":".join(self._path)
        line = f"cd / && PYTHONPATH={shlex.quote(python_path)} exec {self._python} -P -m pocketlens.bench.worker"
        return RemoteWorker(self.transport, f"{line} --greet --idle {_IDLE_SECONDS}", self._folder)

    def reconnect(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        self.transport.reconnect()

    def close(self) -> None:
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        try:
            if self._folder:
                self.transport.run(f"rm -rf {shlex.quote(self._folder)}", 30)
        except PocketlensError:
            pass  # it cannot be reached; the next measurement there removes the folder
        finally:
            self._folder = ""
            self.transport.close()

    def _monitor_worker(self) -> RemoteWorker:
        """The worker that reports on the machine and plays nothing."""
        if self._monitor is None:
            self._monitor = self.start()
        return self._monitor


_PYTHON = "install python3 (3.11 or newer) there, or name another: --device 'ssh://HOST?python=/path/to/python'"
