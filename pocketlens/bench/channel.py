"""Commands to a worker process and its answers: one JSON object a line each way, and a time limit for each answer."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pocketlens.bench.errors import AnswerError, WorkerError
from pocketlens.bench.limits import MAX_ANSWER_BYTES, MAX_ERROR_TEXT, MAX_OUTPUT_BYTES
from pocketlens.bench.processes import END_SECONDS, Reader, Tail, end
from pocketlens.bundle import typed
from pocketlens.errors import InputError, MissingError


@dataclass(frozen=True)
class _Refusal:
    """The answer of a worker that could not do what it was told."""

    error: str = field(metadata=typed.bounds(length=MAX_ERROR_TEXT))
    do: str = field(default="", metadata=typed.bounds(length=MAX_ERROR_TEXT))
    missing: bool = False


class Channel:
    """Starts a worker, sends it commands and reads its answers.

    The worker runs in a session of its own, so that Ctrl-C reaches only this process, which then closes every channel.
    A worker ends itself when its standard input closes: even when this process is killed, no worker is left.

    Args:
        command: The command line that starts the worker; over ssh, that of the ssh client.
        environment: Its environment variables.
        greeting: The first line that counts. What comes before it, such as a login shell's greeting, is dropped.

    Raises:
        WorkerError: The command cannot be started.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, greeting: str = ""
    ) -> None:
        self._greeting = greeting.encode()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment if environment is not None else os.environ),
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(f"{command[0]} cannot be started: {error.strerror}", do="check the path") from error
        assert self.process.stdout is not None and self.process.stderr is not None
        self._complaints = Tail(self.process.stderr)
        self._answers = Reader(self.process.stdout, "the worker")
        self._closed = False

    def ask(self, command: Mapping[str, Any], seconds: float, most: int = MAX_ANSWER_BYTES) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Args:
            command: JSON data; ``do`` is its name.
            seconds: How long to wait.
            most: How many bytes the answer may have.

        Returns:
            The answer's fields, whose types are still to be checked.

        Raises:
            MissingError: A library that the worker needs is not installed there.
            WorkerError: The worker answered with an error, ended, or gave no answer in time.
            AnswerError: What came is no answer, or more than one.
        """
        assert self.process.stdin is not None
        # A broken pipe means that the worker has ended; the reader says so, with the reason.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()
        try:
            line = self._line(time.monotonic() + seconds, most)
        except TimeoutError as error:
            raise WorkerError(
                f"no answer to {command['do']!r} within {seconds:g} s", do="allow more time, or look at the machine"
            ) from error
        if not line:
            raise WorkerError(f"the worker ended during {command['do']!r}: {self._ending()}", do="run it alone")
        if self._answers.waiting:
            raise AnswerError(f"the worker answered {command['do']!r} more than once", do="check its version")
        return _fields(line)

    def _line(self, end_s: float, most: int) -> bytes:
        """The next line after the greeting."""
        skipped = 0
        while self._greeting:
            line = self._answers.line(end_s, MAX_OUTPUT_BYTES)
            skipped += len(line)
            if not line or line.strip() == self._greeting:
                self._greeting = b""
            if skipped > MAX_OUTPUT_BYTES:
                raise AnswerError(f"{skipped:,} bytes came before the worker's first line", do="check the login shell")
        return self._answers.line(end_s, most)

    def close(self) -> None:
        """End the process and those that it has started, whatever they are doing; closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        end(self.process)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self._answers.close()
        self._complaints.close()

    def _ending(self) -> str:
        """Why a worker ended that has closed its output."""
        deadline = time.monotonic() + END_SECONDS
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT  # without reaping it, which would free its number: see end
        while self.process.returncode is None and time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.process.pid, flags) is not None:
                break
            time.sleep(0.01)
        code = end(self.process)
        lines = [line.strip() for line in self._complaints.text().splitlines()]
        last = next((line for line in reversed(lines) if line), "it printed nothing")
        if code < 0:
            return f"killed by {signal.Signals(-code).name} ({last})"
        return f"exit code {code} ({last})"


def _fields(line: bytes) -> dict[str, Any]:
    """The fields of an answer."""
    try:
        answer = typed.parse(line.decode(), "the worker's answer")
        if not isinstance(answer, dict):
            raise AnswerError(f"the worker answered {line[:60]!r}, expected an object", do="check its version")
        if "error" not in answer and "missing" not in answer:
            return answer
        refusal = typed.build(_Refusal, answer, "the worker's answer")
    except UnicodeDecodeError as error:
        raise AnswerError(f"the worker answered {line[:60]!r}, which is no text", do="check its version") from error
    except InputError as error:
        raise AnswerError(f"{error.what} ({line[:60]!r})", do="check its version") from error
    if refusal.missing:
        raise MissingError(refusal.error, do=refusal.do)
    raise WorkerError(refusal.error, do=refusal.do)
