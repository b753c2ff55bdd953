"""Programs that talk to devices: what they print is read up to a limit and until a time, and then they are ended."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

from pocketlens.bench.errors import AnswerError, LostError
from pocketlens.bench.limits import KEPT_COMPLAINT_BYTES, MAX_OUTPUT_BYTES
from pocketlens.errors import MissingError

_CHUNK = 1 << 16
END_SECONDS = 5.0
"""The time that a process may take to end, and its last words to arrive."""


class Tail:
    """The last :data:`~pocketlens.bench.limits.KEPT_COMPLAINT_BYTES` of a stream.

    A thread reads it, so that who writes it never waits for a reader.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while chunk := os.read(self._stream.fileno(), _CHUNK):
            self._kept = (self._kept + chunk)[-KEPT_COMPLAINT_BYTES:]

    def text(self) -> str:
        """What has been read; of a process that has ended, all that it had written last."""
        self._thread.join(END_SECONDS)
        return self._kept.decode(errors="replace")

    def close(self) -> None:
        """Close the stream, once nothing writes to it any more."""
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():  # only then: the number of the file could become another one's
            self._stream.close()


class Reader:
    """Reads a stream up to a limit and until a time.

    Args:
        stream: Of a process, in bytes.
        who: Who writes it, for messages.
    """

    def __init__(self, stream: IO[bytes], who: str) -> None:
        self._stream, self._who = stream, who
        self.waiting = bytearray()
        """What has been read and not yet been returned."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(stream, selectors.EVENT_READ)

    def line(self, end_s: float, most: int) -> bytes:
        """The next line with its end, or what there is of it when the stream ends.

        Raises:
            TimeoutError: It has not come by ``end_s`` on the monotonic clock.
            AnswerError: It is longer than ``most`` bytes.
        """
        searched = 0
        while (found := self.waiting.find(b"\n", searched)) < 0:
            searched = len(self.waiting)
            if not self._more(end_s, most):
                found = len(self.waiting) - 1
                break
        line = bytes(self.waiting[: found + 1])
        del self.waiting[: found + 1]
        return line

    def everything(self, end_s: float, most: int) -> bytes:
        """What the stream holds until it ends; raises as :meth:`line`."""
        while self._more(end_s, most):
            pass
        return bytes(self.waiting)

    def _more(self, end_s: float, most: int) -> bool:
        if len(self.waiting) > most:
            raise AnswerError(f"{self._who} sent more than {most:,} bytes", do="look at the device: it is not right")
        if not self._selector.select(max(0.0, end_s - time.monotonic())):
            raise TimeoutError
        chunk = os.read(self._stream.fileno(), _CHUNK)
        self.waiting += chunk
        return bool(chunk)

    def close(self) -> None:
        """Close the stream."""
        self._selector.close()
        self._stream.close()


def end(process: "subprocess.Popen[bytes]") -> int:
    """End a process that leads a group of its own, and all that it has started; its exit code."""
    # Until it has been waited for nobody else can have its number.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def run_command(
    command: Sequence[str], seconds: float, stdin: bytes = b"", most: int = MAX_OUTPUT_BYTES
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command on this machine.

    Args:
        command: The program and its arguments.
        seconds: How long it may take.
        stdin: What it reads.
        most: How many bytes it may print.

    Returns:
        Its exit code, its standard output, and the end of its standard error.

    Raises:
        MissingError: It is not installed.
        LostError: It took longer than ``seconds``.
        AnswerError: It printed more than ``most`` bytes.

    Example:
        >>> run_command(["cat"], 10, b"hello").stdout
        b'hello'
    """
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except FileNotFoundError as error:
        raise MissingError(f"{command[0]} is not installed", do="install it") from error
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    complaints, reader = Tail(process.stderr), Reader(process.stdout, command[0])
    feeder = threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True)
    feeder.start()
    end_s = time.monotonic() + seconds
    try:
        output = reader.everything(end_s, most)
        code = process.wait(max(0.0, end_s - time.monotonic()))
        return subprocess.CompletedProcess(command, code, output, complaints.text().encode())
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise LostError(f"no answer within {seconds:g} s", do="look at the device and its connection") from error
    finally:
        end(process)
        reader.close()
        complaints.close()


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), stream:  # whoever was to read it has ended
        stream.write(data)
