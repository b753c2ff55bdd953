"""Any browser as a device: whoever opens the address that is printed is measured, a phone above all."""

import base64
import io
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens import files
from pocketlens.bench.devices.browser_facts import browser_host, browser_name, browser_snapshot, spin_of, text
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.devices.worker_protocol import (
    parse_block,
    parse_camera_ms,
    parse_first_ms,
    parse_load,
    score,
)
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bench.errors import AnswerError, LostError, WorkerError
from pocketlens.errors import InputError, MissingError, require
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import Options
from pocketlens.web.link import MAX_BROWSERS, GoneError, Link
from pocketlens.web.runtime import VERSION as RUNTIME_VERSION

PREFIX = "web:"
_RUNTIME = "litert"
_WAIT_SECONDS = 300.0
_RECONNECT_SECONDS = 60.0
_ASK_SECONDS = 30.0
_HIDDEN_TRIES = 3
"""How often a block is asked for that was played while nobody saw the page: browsers slow such pages down."""
_VISIBLE_SECONDS = 30.0
"""How long a hidden page is waited for."""
_SLOWER = 1.5
"""A page computes as fast as in the beginning up to this factor: its processor's clock changes, and others use it."""
_CAMERA_SECONDS, _CAMERA_FRAMES = 5.0, 60
"""How long, and with how many pictures at most, the way from the camera to the screen is timed."""


def open_web(name: str, announce: Callable[[str], Any] = sys.stderr.write) -> list["WebDevice"]:
    """The devices of a name: each stands for the next browser that opens the address, which is announced now.

    Args:
        name: ``web:`` for one browser in this network, ``web:3`` for three; ``web:localhost`` for one that reaches
            this machine as its own, as an Android phone does after ``adb reverse``.
        announce: Takes the address and its QR code.

    Raises:
        InputError: The name is none of these.
        MissingError: cryptography or segno is not installed; ``web:localhost`` needs neither.
    """
    place = name.removeprefix(PREFIX)
    if place == "localhost":
        link = Link()
        announce(f"open in a browser of this machine: {link.url}\n")
        return [WebDevice(link, 0)]
    if place and not (place.isdecimal() and 1 <= int(place) <= MAX_BROWSERS):
        raise InputError(
            f"{name!r} is no device", do=f"write web:, web:N for N phones up to {MAX_BROWSERS}, or web:localhost"
        )
    require("segno", "web")
    from pocketlens.web.certificate import local_address, server_context

    address = local_address()
    context = server_context(address)

    def wrap(socket: Any) -> Any:
        # The handshake belongs to the thread of its connection: a slow phone must not keep others out.
        return context.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)

    count = int(place or 1)
    link = Link(address, wrap, users=count)
    announce(_invitation(link, count))
    return [WebDevice(link, index) for index in range(count)]


def _invitation(link: Link, count: int) -> str:
    import segno

    code = io.StringIO()
    segno.make(link.lan_url, error="l").terminal(code, compact=True)
    phones = "the phone" if count == 1 else f"each of the {count} phones"
    return (
        f"{code.getvalue()}open this address on {phones}, in this computer's network: {link.lan_url}\n"
        "its certificate is this computer's own: the browser warns, go on\n"
        f"an Android phone on a cable: adb reverse tcp:{link.port} tcp:{link.port}, then {link.url}\n"
    )


class WebDevice:
    """A browser; see :class:`~pocketlens.bench.devices.device.Device`.

    Args:
        link: Where browsers come to.
        index: Which of them it is, in the order in which they come.
    """

    def __init__(self, link: Link, index: int) -> None:
        self.link, self._index = link, index
        self.name = PREFIX
        self.emulated = False
        self.together = link.token
        self._closed = self.was_hidden = False
        self._first_spin_ms = 0.0
        self.session = ""
        self._workers = 0

    def missing(self, runtime: str) -> str:
        return "" if runtime == _RUNTIME else f"{runtime} does not run in a browser"

    def accelerators(self, runtime: str) -> Sequence[str]:
        return ("cpu", "gpu") if runtime == _RUNTIME else ()

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Wait until the browser has opened the page.

        Raises:
            MissingError: It has not within five minutes.
        """
        sessions = self.link.wait_for(self._index + 1, _WAIT_SECONDS)
        if len(sessions) <= self._index:
            minutes = f"{_WAIT_SECONDS / 60:.0f} minutes"
            raise MissingError(
                f"no browser has opened the page within {minutes}", do="open the address that was printed"
            )
        self.session = sessions[self._index]
        names = [browser_name(self.link.browsers[session].host) for session in sessions]
        again = names[: self._index].count(names[-1])
        self.name = f"{PREFIX}{names[-1]}" + (f" {again + 1}" if again else "")

    def host(self) -> Host:
        return browser_host(self.ask({"do": "host"}, _ASK_SECONDS))

    def snapshot(self) -> Snapshot:
        told = self.ask({"do": "snapshot"}, _ASK_SECONDS)
        spin_ms = spin_of(told)
        self._first_spin_ms = self._first_spin_ms or spin_ms
        slower = spin_ms / self._first_spin_ms if self._first_spin_ms else 1.0
        throttled = f"its page computes {slower:.1f} times slower than at first" if slower > _SLOWER else ""
        return browser_snapshot(told, throttled, self.was_hidden)

    def wait_until_visible(self) -> None:
        """Wait until somebody sees the page.

        Raises:
            LostError: Nobody does within half a minute.
        """
        end_s = time.monotonic() + _VISIBLE_SECONDS
        while not self.snapshot().screen_on:
            if time.monotonic() > end_s:
                raise self.hidden()
            time.sleep(0.2)

    def hidden(self) -> LostError:
        """The error that the page is hidden: times of hidden pages say nothing."""
        return LostError(f"{self.name}: its page is hidden", do="bring it to the front, and keep the screen on")

    def start(self) -> "WebWorker":
        self._workers += 1
        return WebWorker(self, self._workers)

    def reconnect(self) -> None:
        if not self.link.wait_until_seen(self.session, _RECONNECT_SECONDS):
            raise LostError(
                f"{self.name} does not ask for commands", do="wake the phone, and bring the page to the front"
            )

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.link.leave()

    def ask(self, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a command to the browser; see :meth:`Link.ask`."""
        try:
            answer = self.link.ask(self.session, command, seconds)
        except GoneError as error:
            if self.link.ended:
                raise MissingError(f"{self.name}: {error}", do="measure again") from error
            raise LostError(f"{self.name}: {error}", do="wake the phone, and bring the page to the front") from error
        if problem := text(answer, "error"):
            kind = MissingError if answer.get("missing") else WorkerError
            raise kind(f"{self.name}: {problem}", do="look at the page on the device")
        return answer


class WebWorker:
    """A worker of a browser; see :class:`~pocketlens.bench.devices.device.Worker`."""

    def __init__(self, device: WebDevice, number: int) -> None:
        self._device, self._number = device, number

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        if reason := self._device.missing(runtime):
            raise MissingError(reason, do="measure TFLite files there: --runtime litert")
        digest = files.sha256(path)
        name = f"{digest[:16]}.tflite"
        self._device.link.files[name] = path
        # Files of bundles are named TARGET-PRECISION-SIZE; of any other the page takes WebAssembly.
        precision = path.stem.split("-")[1] if path.stem.count("-") >= 2 else ""
        artifact = {"path": f"artifacts/{name}", "sha256": digest, "precision": precision}
        told = self._ask(
            {"do": "load", "artifact": artifact, "threads": options.threads, "accelerator": options.accelerator},
            seconds,
        )
        on_gpu = told.get("backend") == "webgpu"
        host = self._device.link.browsers[self._device.session].host
        self._device.emulated |= on_gpu and bool(host.get("gpu_emulated"))
        info = {
            "version": RUNTIME_VERSION,
            "threads": told.get("threads"),
            "accelerator": "gpu" if on_gpu else "cpu",
            "delegate": text(told, "backend"),
        }
        return parse_load({**told, "baseline_mb": 0.0, "runtime_info": info})

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        told = self._ask({"do": "first", "pixels": base64.b64encode(rgba.tobytes()).decode()}, seconds)
        try:
            pixels = np.frombuffer(base64.b64decode(told["pixels"], validate=True), np.uint8).reshape(rgba.shape)
        except (KeyError, TypeError, ValueError) as error:
            raise AnswerError(f"the picture of {self._device.name} cannot be read: {error}", do="try again") from error
        stylized = np.ascontiguousarray(pixels[..., :3])
        return score(FirstFrame(parse_first_ms(told), stylized=stylized), expected)

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        for _ in range(_HIDDEN_TRIES):
            began_s = time.monotonic()
            told = self._ask({"do": "block", "seconds": block_seconds, "count": block_count}, seconds)
            if not told.get("hidden"):
                return parse_block(told, block_count, time.monotonic() - began_s)
            self._device.was_hidden = True
            self._device.wait_until_visible()
        raise self._device.hidden()

    def peak_mb(self, seconds: float) -> float | None:
        return None

    def camera_ms(self, seconds: float) -> tuple[float, ...]:
        return parse_camera_ms(
            self._ask({"do": "camera", "seconds": _CAMERA_SECONDS, "count": _CAMERA_FRAMES}, seconds)
        )

    def close(self) -> None:
        with suppress(WorkerError, MissingError):  # the page is gone, and its workers with it
            self._ask({"do": "close"}, 5)

    def _ask(self, command: dict[str, Any], seconds: float) -> dict[str, Any]:
        return self._device.ask({**command, "worker": self._number}, seconds)
