"""Commands to a worker process and its answers: one JSON object a line each way, and a time limit for each answer."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from pocketlens.errors import MissingError, PocketlensError

_END_SECONDS = 5.0
"""The time that a process may take to end."""


class WorkerError(PocketlensError):
    """A worker answered with an error, ended, or did not answer in time. Only its own case fails."""

    exit_code = 3


class LostError(WorkerError):
    """The connection to a device was lost. That is no fault of the worker, and worth another try."""


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
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=dict(environment if environment is not None else os.environ),
                start_new_session=True,
            )
        except OSError as error:
            self._complaints.close()
            raise WorkerError(f"{command[0]} cannot be started: {error.strerror}", do="check the path") from error
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        greeted = not self._greeting
        for line in self.process.stdout:
            if greeted:
                self._answers.put(line)
            greeted = greeted or line.strip() == self._greeting
        self._answers.put(b"")

    def ask(self, command: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Args:
            command: JSON data; ``do`` is its name.
            seconds: How long to wait.

        Raises:
            MissingError: A library that the worker needs is not installed there.
            WorkerError: The worker answered with an error, ended, gave no answer in time, or an answer that is not
                JSON.
        """
        assert self.process.stdin is not None
        # A broken pipe means that the worker has ended; the reader says so, with the reason.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty as error:
            raise WorkerError(
                f"no answer to {command['do']!r} within {seconds:g} s", do="allow more time, or look at the machine"
            ) from error
        if not line:
            raise WorkerError(f"the worker ended during {command['do']!r}: {self._ending()}", do="run it alone")
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise WorkerError(
                f"the worker answered {line[:60]!r}, which is not JSON", do="check its version"
            ) from error
        if answer.get("missing"):
            raise MissingError(answer["error"], do=answer.get("do", ""))
        if "error" in answer:
            raise WorkerError(answer["error"], do=answer.get("do", ""))
        fields: dict[str, Any] = answer
        return fields

    def close(self) -> None:
        """End the process and those that it has started, whatever they are doing; closing twice is fine."""
        if self._complaints.closed:
            return
        self._end()
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self._reader.join(_END_SECONDS)
        if not self._reader.is_alive():  # only then: closing a file that another thread reads waits for that thread
            self.process.stdout.close()
        self._complaints.close()

    def _end(self) -> int:
        # The process leads a group of its own, and until it has been waited for nobody else can have that number.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def _ending(self) -> str:
        """Why a worker ended that has closed its output."""
        deadline = time.monotonic() + _END_SECONDS
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT  # without reaping it, which would free its number: see _end
        while self.process.returncode is None and time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.process.pid, flags) is not None:
                break
            time.sleep(0.01)
        code = self._end()
        self._complaints.seek(0)
        lines = [line.strip() for line in self._complaints.read().decode(errors="replace").splitlines()]
        last = next((line for line in reversed(lines) if line), "it printed nothing")
        if code < 0:
            return f"killed by {signal.Signals(-code).name} ({last})"
        return f"exit code {code} ({last})"
