"""A small adbd inside the test: shell, push and pull over adb's own protocol, and the faults that devices have.

What is run is a shell of this machine with a folder of stand-ins (``getprop``, ``dumpsys``) first on its path.
"""

import contextlib
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

_OPEN, _OKAY, _WRTE, _CLSE, _CNXN, _AUTH = (
    int.from_bytes(word, "little") for word in (b"OPEN", b"OKAY", b"WRTE", b"CLSE", b"CNXN", b"AUTH")
)
_LARGEST = 256 * 1024
_FEATURES = b"device::ro.product.name=standin;ro.product.model=Stand In;ro.product.device=standin;features=shell_v2,cmd"


class _Stream:
    def __init__(self, link: "_Link", there: int, here: int) -> None:
        self.link, self.there, self.here = link, there, here
        self.arrived = bytearray()
        self.more = threading.Condition()
        self.closed = False
        self.ready = threading.Semaphore(0)

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _LARGEST):
            self.link.send(_WRTE, self.here, self.there, data[start : start + _LARGEST])
            if not self.ready.acquire(timeout=30):
                raise OSError("the client does not take it")

    def read(self, count: int) -> bytes:
        with self.more:
            while len(self.arrived) < count and not self.closed:
                self.more.wait(1)
            data = bytes(self.arrived[:count])
            del self.arrived[:count]
            return data

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.link.send(_CLSE, self.here, self.there)


class _Link:
    """One connection of adb's server."""

    def __init__(self, device: "Adbd", channel: socket.socket) -> None:
        self.device, self.channel = device, channel
        self.lock = threading.Lock()
        self.streams: dict[int, _Stream] = {}

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        head = struct.pack("<6I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        with self.lock:
            self.channel.sendall(head + data)

    def serve(self) -> None:
        with contextlib.suppress(OSError, EOFError, struct.error):
            while True:
                command, first, second, length, _, _ = struct.unpack("<6I", self._exactly(24))
                self._handle(command, first, second, self._exactly(length))
        for stream in self.streams.values():
            with stream.more:
                stream.closed = True
                stream.more.notify()
            stream.ready.release()
        self.channel.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not (more := self.channel.recv(count - len(data))):
                raise EOFError
            data += more
        return data

    def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == _CNXN:
            if self.device.unauthorized:
                self.send(_AUTH, 1, 0, os.urandom(20))  # and no answer to whatever key is shown
                return
            self.send(_CNXN, 0x01000001, _LARGEST, _FEATURES)
        elif command == _OPEN:
            stream = _Stream(self, first, len(self.streams) + 1)
            self.streams[stream.here] = stream
            threading.Thread(target=self._open, args=(stream, data.rstrip(b"\0").decode()), daemon=True).start()
        elif command == _OKAY and second in self.streams:
            self.streams[second].ready.release()
        elif command == _WRTE and second in self.streams:
            stream = self.streams[second]
            with stream.more:
                stream.arrived += data
                stream.more.notify()
            self.send(_OKAY, second, first)
        elif command == _CLSE and second in self.streams:
            stream = self.streams[second]
            with stream.more:
                stream.closed = True
                stream.more.notify()
            stream.ready.release()

    def _open(self, stream: _Stream, service: str) -> None:
        with contextlib.suppress(OSError, EOFError):
            if service.startswith("shell,v2"):
                self.send(_OKAY, stream.here, stream.there)
                self._shell(stream, service.partition(":")[2])
            elif service == "sync:":
                self.send(_OKAY, stream.here, stream.there)
                self._sync(stream)
        stream.close()

    def _shell(self, stream: _Stream, line: str) -> None:
        process = subprocess.Popen(
            ["sh", "-c", line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": f"{self.device.bin}:{os.environ['PATH']}"},
            start_new_session=True,
        )
        assert process.stdin is not None

        def feed() -> None:
            with contextlib.suppress(OSError, ValueError):
                while len(head := stream.read(5)) == 5:
                    kind, length = struct.unpack("<BI", head)
                    if kind == 0:
                        process.stdin.write(stream.read(length))
                        process.stdin.flush()
                    elif kind in {3, 4}:
                        process.stdin.close()
            with contextlib.suppress(OSError):
                process.stdin.close()
            if stream.closed:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)

        def give(kind: int, source: object) -> None:
            with contextlib.suppress(OSError):
                while data := os.read(source.fileno(), 65536):  # type: ignore[attr-defined]
                    stream.write(struct.pack("<BI", kind, len(data)) + data)

        threads = [
            threading.Thread(target=give, args=pair, daemon=True) for pair in ((1, process.stdout), (2, process.stderr))
        ]
        threading.Thread(target=feed, daemon=True).start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stream.write(struct.pack("<BIB", 3, 1, process.wait() & 0xFF))

    def _sync(self, stream: _Stream) -> None:
        while len(head := stream.read(8)) == 8:
            word, length = struct.unpack("<4sI", head)
            if word == b"QUIT":
                return
            path = stream.read(length).decode()
            if word == b"STAT":
                found = Path(path)
                state = found.stat() if found.exists() else None
                stream.write(
                    struct.pack("<4s3I", b"STAT", *((state.st_mode, state.st_size, 0) if state else (0, 0, 0)))
                )
            elif word == b"SEND":
                self._take(stream, Path(path.rpartition(",")[0]))
            elif word == b"RECV":
                data = Path(path).read_bytes()
                for start in range(0, len(data), 65536):
                    part = data[start : start + 65536]
                    stream.write(struct.pack("<4sI", b"DATA", len(part)) + part)
                stream.write(struct.pack("<4sI", b"DONE", 0))

    def _take(self, stream: _Stream, target: Path) -> None:
        data = b""
        while True:
            word, length = struct.unpack("<4sI", stream.read(8))
            if word == b"DONE":
                break
            data += stream.read(length)
        if self.device.full:
            why = b"couldn't write file: No space left on device"
            stream.write(struct.pack("<4sI", b"FAIL", len(why)) + why)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        stream.write(struct.pack("<4sI", b"OKAY", 0))


class Adbd:
    """A device on a port of loopback.

    Attributes:
        bin: The folder of commands that only this device has.
        unauthorized: Whether it asks its user first, who does not answer.
        full: Whether its storage is full.
    """

    def __init__(self, folder: Path) -> None:
        self.bin = folder
        self.unauthorized = self.full = False
        self._links: list[_Link] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                channel, _ = self._server.accept()
                link = _Link(self, channel)
                self._links.append(link)
                threading.Thread(target=link.serve, daemon=True).start()

    def unplug(self) -> None:
        """Cut every connection; it can be connected again."""
        for link in self._links:
            with contextlib.suppress(OSError):
                link.channel.shutdown(socket.SHUT_RDWR)
        self._links.clear()

    def close(self) -> None:
        """Unplug it for good."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.unplug()
