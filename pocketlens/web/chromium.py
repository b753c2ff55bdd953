"""A real browser: headless Chromium, spoken to over the pipe of its own protocol (the Chrome DevTools Protocol)."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pocketlens.errors import MissingError, PocketlensError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars",
)  # fmt: skip
WEBGPU = (
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--use-angle=swiftshader", "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
)  # fmt: skip
"""WebGPU without a graphics processor: right, and a hundred times slower."""
_FIRST_FREE = 10
"""File descriptors below this one are not used for the pipes, so that moving them to 3 and 4 hits neither."""


class BrowserError(PocketlensError):
    """The browser ended, or did not do in time what it was asked."""

    exit_code = 3


def find() -> str:
    """The path of Chromium, or of Chrome.

    Raises:
        MissingError: Neither is installed.
    """
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    raise MissingError("Chromium is not installed", do="apt-get install chromium")


class Page:
    """A page of a browser."""

    def __init__(self, browser: "Chromium", target: str) -> None:
        self._browser = browser
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol to this page."""
        return self._browser.call(method, session=self._session, **parameters)

    def open(self, address: str) -> None:
        """Go to an address."""
        answer = self.call("Page.navigate", url=address)
        if error := answer.get("errorText"):
            raise BrowserError(f"{address} cannot be opened: {error}", do="check that its server runs")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if details := answer.get("exceptionDetails"):
            text = details.get("exception", {}).get("description") or details["text"]
            raise BrowserError(f"the page says: {text.splitlines()[0]}", do="look at the page in a browser")
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 30.0) -> Any:
        """Wait until an expression is true, and return its value."""
        end = time.monotonic() + seconds
        while True:
            with suppress(BrowserError):  # a page that is being loaded has no such thing yet
                if value := self.evaluate(expression):
                    return value
            if time.monotonic() > end:
                raise BrowserError(f"the page did not reach {expression!r} within {seconds:g} s", do="try again")
            time.sleep(0.05)

    def screenshot(self, path: Path) -> None:
        """Write what the page shows as a PNG file, in its full height."""
        metrics = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": metrics["width"], "height": metrics["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))


class Chromium:
    """A browser that runs; see :func:`start`.

    Attributes:
        group: The process group of all of its processes.
    """

    def __init__(self, pid: int, to_browser: int, from_browser: int) -> None:
        self.group, self._to, self._from = pid, to_browser, from_browser
        self._count, self._buffer = 0, b""

    def page(self, address: str = "about:blank") -> Page:
        """A new page; it is opened at ``address``."""
        return Page(self, self.call("Target.createTarget", url=address)["targetId"])

    def call(self, method: str, session: str = "", seconds: float = 60.0, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol; returns its result.

        Raises:
            BrowserError: The browser refuses it, has ended, or does not answer in time.
        """
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            os.write(self._to, json.dumps(message).encode() + b"\0")
        except BrokenPipeError as error:
            raise _ended() from error
        end = time.monotonic() + seconds
        while True:
            answer = self._read(end, method)
            if answer.get("id") == self._count:
                if refusal := answer.get("error"):
                    raise BrowserError(f"Chromium refuses {method}: {refusal['message']}", do="check its version")
                return dict(answer["result"])

    def _read(self, end: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(0.0, end - time.monotonic()))[0]:
                raise BrowserError(f"Chromium did not answer {method} in time", do="try again")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise _ended()
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def close(self) -> None:
        """End the browser with all of its processes."""
        for descriptor in (self._to, self._from):
            os.close(descriptor)
        with suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        os.waitpid(self.group, 0)


def _ended() -> BrowserError:
    return BrowserError("Chromium has ended", do="start it by hand and read what it says: chromium --headless=new")


@contextmanager
def start(flags: Sequence[str] = ()) -> Iterator[Chromium]:
    """Start a browser with a fresh profile, and end it with the block.

    Args:
        flags: More of its options, for instance :data:`WEBGPU`.

    Raises:
        MissingError: Chromium is not installed.
        BrowserError: It does not start.
    """
    path = find()
    # Its sandbox refuses to run as root. The pages are our own.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="pocketlens-chromium-", ignore_cleanup_errors=True) as profile:
        command = [path, *_FLAGS, *sandbox, *flags, f"--user-data-dir={profile}", "about:blank"]
        browser = _spawn(command)
        try:
            browser.call("Browser.getVersion", seconds=30)
            yield browser
        finally:
            browser.close()


def _spawn(command: list[str]) -> Chromium:
    """Start a program in a process group of its own; it reads commands from its descriptor 3 and answers on 4."""
    (its_input, our_output), (our_input, its_output) = _pipe(), _pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, its_input, 3),
        (os.POSIX_SPAWN_DUP2, its_output, 4),
    ]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions, setpgroup=0)
    os.close(its_input)
    os.close(its_output)
    return Chromium(pid, our_output, our_input)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
