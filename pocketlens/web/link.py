"""Commands to browsers: serves the device page, and hands each browser that opened it its commands one after the other.

A page asks for its next command by posting what it has done so far to ``rpc`` and waiting for the answer. Everything
lies below a secret word in the address: who does not know it can read nothing and post nothing.
"""

import functools
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocketlens.web import runtime
from pocketlens.web.folder import PAGE
from pocketlens.web.serve import ISOLATION, Handler, Server

DEVICE = Path(__file__).parent / "device"
MAX_BYTES = 64_000_000
"""The most that a browser may post at once: a picture of 4096 x 2160 in base64 has 47 MB."""
MAX_FIRST_BYTES = 1_000_000
"""The most that a browser may post when it comes: what it says of itself is kept."""
MAX_PARTS = 1_000_000
"""Commas and brackets of what is posted: each may become 64 bytes. 50,000 frames have 100,000."""
MAX_BROWSERS = 16
_SILENT_SECONDS = 60.0
"""How long a connection may say nothing while it is its turn."""
_POLL_SECONDS = 10.0
_END_SECONDS = 5.0
"""How long pages that wait for a command are waited for, until they have heard that there is none."""
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_SESSION = re.compile(r"[0-9]{1,10}-[0-9]{1,10}")
_FOLDERS = {"": (PAGE, DEVICE), "runtime/": (runtime.FOLDER,)}


class GoneError(Exception):
    """A browser did not answer in time, or its page was loaded again in the middle of a command."""


@dataclass
class Browser:
    """A browser that has opened the page.

    Attributes:
        host: What it says of itself.
        seen_s: When it last asked for commands, on the monotonic clock.
    """

    host: dict[str, Any]
    seen_s: float = 0.0
    waiting: list[dict[str, Any]] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)
    answers: dict[int, dict[str, Any] | None] = field(default_factory=dict)


class Link:
    """A server, and the browsers that have opened its page.

    Args:
        address: To listen on; other machines reach only what does not begin with 127.
        wrap: Makes the server's socket one of TLS, where it is to be HTTPS.
        users: How many will say :meth:`leave`.

    Attributes:
        ended: Whether it was closed: nothing is asked of a browser any more.
    """

    def __init__(self, address: str = "127.0.0.1", wrap: Callable[[Any], Any] | None = None, *, users: int = 1) -> None:
        self._users = users
        self.token = secrets.token_urlsafe(12)
        self.browsers: dict[str, Browser] = {}
        self.files: dict[str, Path] = {}
        self._changed = threading.Condition()
        self.bodies = threading.BoundedSemaphore(MAX_BROWSERS)
        self.reading = threading.Lock()
        self._count, self.ended = 0, False
        self._asking = 0
        self._servers: list[Server] = []
        self.port = self._listen("127.0.0.1", None)
        self.url = f"http://localhost:{self.port}/{self.token}/"
        self.lan_url = ""
        if wrap is not None:
            port = self._listen("", wrap)
            self.lan_url = f"https://{address}:{port}/{self.token}/"

    def _listen(self, address: str, wrap: Callable[[Any], Any] | None) -> int:
        handler = functools.partial(_Handler, headers={"Cache-Control": "no-store", **ISOLATION}, link=self)
        server = Server((address, 0), handler)
        if wrap is not None:
            server.socket = wrap(server.socket)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])

    def wait_for(self, count: int, seconds: float) -> list[str]:
        """The sessions of the first ``count`` browsers, in the order in which they came; fewer after that time."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.browsers) >= count or self.ended, seconds)
            return list(self.browsers)[:count]

    def ask(self, session: str, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a command to a browser and wait for its answer.

        Raises:
            GoneError: There is none within ``seconds``, or the page was loaded again.
        """
        with self._changed:
            browser = self.browsers[session]
            self._count += 1
            identity = self._count
            browser.waiting.append({**command, "id": identity})
            self._changed.notify_all()
            self._changed.wait_for(lambda: identity in browser.answers or self.ended, seconds)
            if identity not in browser.answers:
                browser.waiting = [entry for entry in browser.waiting if entry["id"] != identity]
                browser.sent.discard(identity)
                raise GoneError("it was sent away" if self.ended else f"no answer within {seconds:g} s")
            answer = browser.answers.pop(identity)
            if answer is None:
                raise GoneError("its page was loaded again")
            return answer

    def wait_until_seen(self, session: str, seconds: float) -> bool:
        """Whether a browser asks for commands again within that time."""
        now_s = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self.browsers[session].seen_s > now_s or self.ended, seconds)
            return self.browsers[session].seen_s > now_s and not self.ended

    def poll(self, session: str, host: dict[str, Any], answers: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Take what a browser has done, and give it its next commands; None if there are too many browsers."""
        with self._changed:
            if session not in self.browsers and len(self.browsers) >= MAX_BROWSERS:
                return None
            browser = self.browsers.setdefault(session, Browser(host))
            browser.seen_s = time.monotonic()
            for answer in answers:
                identity = answer.pop("id", None)
                # Others came too late, or were never asked for.
                if isinstance(identity, int) and identity in browser.sent:
                    browser.sent.discard(identity)
                    browser.answers[identity] = answer
            for identity in browser.sent:  # it asks for more and has not answered these: it has forgotten them
                browser.answers[identity] = None
            browser.sent.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: bool(browser.waiting) or self.ended, _POLL_SECONDS)
            commands, browser.waiting = browser.waiting, []
            browser.sent = {command["id"] for command in commands}
            return {"end": True} if self.ended else {"commands": commands}

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a page waits for its answer and receives it."""
        with self._changed:
            self._asking += 1
        try:
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify_all()

    def leave(self) -> None:
        """One user needs it no more; the last one closes it."""
        self._users -= 1
        if not self._users:
            self.close()

    def close(self) -> None:
        """Tell every browser that this is the end, and stop serving; closing twice is fine."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._asking, _END_SECONDS)
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers = []


class _Handler(Handler):
    timeout = _SILENT_SECONDS

    def __init__(self, *arguments: Any, link: Link, **more: Any) -> None:
        self._link = link
        super().__init__(*arguments, **more)

    def translate_path(self, path: str) -> str:
        """The file of an address; one that does not exist for every address that is not ours."""
        name = self._below_token(path)
        if name is not None:
            if name == "":
                return str(DEVICE / "device.html")
            if name.startswith("artifacts/"):
                return str(self._link.files.get(name.removeprefix("artifacts/"), DEVICE / "none"))
            folder, _, file = name.rpartition("/")
            for place in _FOLDERS.get(folder + "/" if folder else "", ()):
                if _NAME.fullmatch(file) and (place / file).is_file():
                    return str(place / file)
        return str(DEVICE / "none")

    def _below_token(self, path: str) -> str | None:
        token, slash, name = path.split("?", 1)[0].removeprefix("/").partition("/")
        ours = secrets.compare_digest(token.encode(), self._link.token.encode())
        return name if ours and slash else None

    def do_POST(self) -> None:  # noqa: N802  # as the base class calls it
        """Take a browser's answers and give it commands."""
        length = self.headers.get("Content-Length", "")
        if self._below_token(self.path) != "rpc":
            self._refuse(404)
        elif not re.fullmatch("[0-9]{1,10}", length) or int(length) > MAX_BYTES:
            self._refuse(413)
        elif not self._link.bodies.acquire(blocking=False):
            self._refuse(503)
        else:
            try:
                told = self._read(int(length))
            finally:
                self._link.bodies.release()
            with self._link.asking():
                self._answer(None if told is None else self._link.poll(*told))

    def _answer(self, answer: dict[str, Any] | None) -> None:
        if answer is None:
            self._refuse(400)
            return
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _read(self, length: int) -> tuple[str, dict[str, Any], list[dict[str, Any]]] | None:
        """The session, the host and the answers that are posted; None if it is anything else."""
        body = self.rfile.read(length)
        if sum(map(body.count, (b",", b"[", b"{"))) > MAX_PARTS:
            return None
        try:
            with self._link.reading:  # one at a time: text takes three times its bytes meanwhile
                told = json.loads(body)
            session, host, answers = told["session"], dict(told["host"]), [dict(one) for one in told["answers"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if not (isinstance(session, str) and _SESSION.fullmatch(session)):
            return None
        if session not in self._link.browsers and length > MAX_FIRST_BYTES:
            return None
        return session, host, answers

    def _refuse(self, code: int) -> None:
        self.close_connection = True  # what was posted is not read
        self.send_error(code)
