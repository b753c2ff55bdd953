"""Helpers of a build: processes that make its artifacts in another order and leave them in the cache.

The build itself goes through its artifacts as if it were alone, and finds in the cache what a helper has made. So its
files, refusals and messages are its own, and a helper that fails or is killed costs nothing but its work. Who works on
an artifact holds a lock on it: the build waits for a helper, and a helper goes on to the next.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Literal, NoReturn, get_args

from pocketlens import machine
from pocketlens.errors import InputError
from pocketlens.pipeline.forms import ArtifactRequest
from pocketlens.recipe import Accelerators
from pocketlens.subprocesses import module_command, module_environment
from pocketlens.targets import ArtifactSpec

LIMIT = "POCKETLENS_HELPERS"
"""The environment variable that says how many helpers a build may have at most."""
Step = Literal["made", "placed"]
_MEMORY = 4
"""How many times the build's own peak, up to its graph, must be free for each helper."""
_END_S = 10.0


@dataclass(frozen=True)
class Batch:
    """What a helper is given: the artifacts of one size.

    Attributes:
        requests: By the number of the artifact in the build.
        accelerators: That each artifact is checked on.
    """

    requests: Mapping[int, ArtifactRequest]
    accelerators: Accelerators


class Locks:
    """Who works on which step of which artifact: a lock each, on a file in memory. A lock ends with its process.

    Args:
        descriptor: Of the file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @contextlib.contextmanager
    def held(self, number: int, step: Step, *, wait: bool) -> Iterator[bool]:
        """Hold one step of an artifact, while the block runs; gives whether it is held."""
        import fcntl  # of POSIX alone, as helpers are

        steps = get_args(Step)
        place = len(steps) * number + steps.index(step)
        held = True
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
        except OSError:
            held = False
        try:
            yield held
        finally:
            if held:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, place)


class Helpers:
    """The helpers of one build; they end with the block, and with the build's process.

    Args:
        count: How many.
        targets: The build's. Each helper begins with another one, the build with the first.
        accelerators: That artifacts are checked on; None for all that a recipe asks for by itself.
    """

    def __init__(self, count: int = 0, targets: Sequence[str] = (), accelerators: Accelerators | None = None) -> None:
        self._accelerators = accelerators or Accelerators()
        self._numbers: dict[ArtifactSpec, int] = {}
        self._running: list[tuple[subprocess.Popen[bytes], Connection]] = []
        self._descriptor = -1
        with contextlib.suppress(OSError):  # no memory for another process: then without
            self._descriptor = os.memfd_create("pocketlens") if count else -1
            for i in range(count):
                self._running.append(_start(self._descriptor, targets[(i + 1) * len(targets) // (count + 1)]))
        self._locks = Locks(self._descriptor)

    def __enter__(self) -> "Helpers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def end(self) -> None:
        """End the helpers, before something is timed; the build goes on alone."""
        self._keep(0)

    def give(self, requests: Sequence[ArtifactRequest]) -> None:
        """Let the helpers make the artifacts of one size; as many helpers as fit into memory, the others end here."""
        if not self._running or not requests:
            return
        self._keep(_helpers_that_fit())
        if not self._running:
            return
        numbered = {len(self._numbers) + i: request for i, request in enumerate(_without_generator(requests))}
        self._numbers |= {request.spec: number for number, request in numbered.items()}
        batch = pickle.dumps(Batch(numbered, self._accelerators))
        for _, connection in self._running:
            with contextlib.suppress(OSError):  # it has ended
                connection.send_bytes(batch)

    @contextlib.contextmanager
    def lock(self, spec: ArtifactSpec, step: Step) -> Iterator[None]:
        """Wait for the helper that works on one step of an artifact, and keep helpers off it while the block runs."""
        if not self._running or spec not in self._numbers:
            yield
            return
        with self._locks.held(self._numbers[spec], step, wait=True):
            yield

    def _keep(self, count: int) -> None:
        ending, self._running = self._running[count:], self._running[:count]
        for _, connection in ending:
            connection.close()
        for process, _ in ending:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def helper_count(targets: Collection[str], threads: int) -> int:
    """How many helpers a build gets: one a core and target beside the first, none for a build of one thread.

    ``$POCKETLENS_HELPERS`` limits it.

    Raises:
        InputError: That is no number.

    Example:
        >>> helper_count(["onnx", "tflite"], threads=1)
        0
    """
    limit = os.environ.get(LIMIT, "")
    if limit and not limit.isdecimal():
        raise InputError(f"{LIMIT} is {limit!r}", do="set it to a number from 0, or to nothing")
    if threads == 1 or not sys.platform.startswith("linux"):  # elsewhere nothing says how much memory is free
        return 0
    return max(0, min(machine.cores(), len(targets), int(limit) + 1 if limit else len(targets)) - 1)


def _start(locks: int, first: str) -> tuple["subprocess.Popen[bytes]", Connection]:
    ours, theirs = Pipe()
    with theirs:
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            module_command("pocketlens.pipeline.helper", str(theirs.fileno()), str(locks), first),
            env=module_environment(), pass_fds=[theirs.fileno(), locks], stdin=quiet, stdout=quiet, stderr=quiet,
        )  # fmt: skip
    return process, ours


def _without_generator(requests: Sequence[ArtifactRequest]) -> list[ArtifactRequest]:
    """The same requests for another process, which gets the teacher's pictures and neither the generator nor its code.

    What needs the generator all the same fails there, and the build makes it.
    """
    evaluation = requests[0].evaluation
    pictures: dict[str, object] = {"teacher_outputs": evaluation.teacher_outputs}
    if any(request.spec.arithmetic.is_low_bit for request in requests):
        with contextlib.suppress(Exception):  # the build says what is wrong, of the artifact that needs the clip
            pictures["clip"] = evaluation.clip
    portable = replace(evaluation, source=replace(evaluation.source, load=_not_here), original=None)
    vars(portable).update(pictures)  # these are cached properties
    return [replace(request, evaluation=portable) for request in requests]


def _not_here() -> NoReturn:
    raise InputError("a helper has no generator", do="this message is a fault of Pocketlens: please report it")


def _helpers_that_fit() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return max(0, _free_memory()) // (_MEMORY * peak)


def _free_memory() -> int:
    """Bytes that processes can still get here, in this container where it has a limit of its own."""
    kilobytes = machine.fields(machine.text(Path("/proc/meminfo")), "MemAvailable")
    free = int(kilobytes[0].split()[0]) * 1024 if kilobytes else 0
    limit, used = (machine.text(Path("/sys/fs/cgroup") / name) or "" for name in ("memory.max", "memory.current"))
    return min(free, int(limit) - int(used)) if limit.isdecimal() and used.isdecimal() else free
