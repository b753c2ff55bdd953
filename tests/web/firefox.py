"""Headless Firefox, spoken to in its own protocol (WebDriver BiDi) over a socket of its own: no driver, no library."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_PREFERENCES = {
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


class FirefoxError(Exception):
    """Firefox refuses a command, or the page has an error."""


class Firefox:
    """A browser with one page.

    Args:
        address: Host and port that it listens on.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=60)
        self._socket.sendall(
            f"GET /session HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cG9ja2V0bGVucy10ZXN0cw==\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        assert b" 101 " in self._stream.readline()
        while self._stream.readline().strip():
            pass
        self._count = 0
        self.call("session.new", capabilities={})
        self._page = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol; returns its result."""
        self._count += 1
        self._send(json.dumps({"id": self._count, "method": method, "params": parameters}).encode())
        while (answer := json.loads(self._receive())).get("id") != self._count:
            pass
        if answer["type"] != "success":
            raise FirefoxError(answer.get("message"))
        return dict(answer["result"])

    def open(self, address: str) -> None:
        self.call("browsingContext.navigate", context=self._page, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression that JSON can hold; a promise is waited for."""
        wrapped = f"(async () => JSON.stringify(await ({expression})))()"
        answer = self.call(
            "script.evaluate", expression=wrapped, target={"context": self._page}, awaitPromise=True
        )  # fmt: skip
        if answer["type"] != "success":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    def wait(self, expression: str, seconds: float = 180.0) -> Any:
        """Wait until an expression is true, and return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(FirefoxError):  # a page that is being loaded has no such thing yet
                if value := self.evaluate(expression):
                    return value
            time.sleep(0.1)
        shown = ""
        with suppress(FirefoxError):
            shown = self.evaluate("`${location}: ${document.body.innerText.slice(0, 500)}`")
        raise FirefoxError(f"the page did not reach {expression!r} within {seconds:g} s; it shows {shown!r}")

    def _send(self, data: bytes) -> None:
        # One frame of text. A client must mask it, and Firefox hangs up on a mask of zeros.
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        self._socket.sendall(b"\x81" + length + b"\1\1\1\1" + bytes(byte ^ 1 for byte in data))

    def _receive(self) -> bytes:
        message, last = b"", False
        while not last:
            first, length = self._stream.read(2)
            last = bool(first & 0x80)
            if length in (126, 127):
                length = int.from_bytes(self._stream.read(2 if length == 126 else 8), "big")
            message += self._stream.read(length)
        return message


@contextmanager
def start() -> Iterator[Firefox]:
    """Firefox with a fresh profile; the test is skipped where there is none."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("Firefox is not installed: apt-get install firefox-esr")
    with tempfile.TemporaryDirectory(prefix="pocketlens-firefox-", ignore_cleanup_errors=True) as profile:
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _PREFERENCES.items())
        (Path(profile) / "user.js").write_text("".join(lines))
        process = subprocess.Popen(
            [path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0", "about:blank"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
            env={**os.environ, "HOME": profile, "MOZ_CRASHREPORTER_DISABLE": "1"},
        )  # fmt: skip
        try:
            assert process.stderr is not None
            found = next(m for line in process.stderr if (m := re.search(r"BiDi listening on ws://(.*):(\d+)", line)))
            yield Firefox((found[1], int(found[2])))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
