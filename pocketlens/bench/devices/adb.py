"""Reaching an Android device with the platform's own ``adb``: which are there, commands, files, and every way to fail."""

import os
import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.channel import LostError, WorkerError
from pocketlens.bench.devices.android import Android
from pocketlens.bench.devices.remote import run_command
from pocketlens.errors import InputError, MissingError

FOLDER = "/data/local/tmp/pocketlens"
"""Where files are put: the folder that adb's own user may write to and start programs in."""

_SECONDS = 30.0
_BACK_SECONDS = 20.0
_GONE = ("not found", "device offline", "device still", "no devices", "closed", "protocol fault", "connection reset")
_STATES = {
    "unauthorized": ("has not allowed this computer", "unlock it and answer the question about USB debugging with yes"),
    "authorizing": ("is asking whether this computer is allowed", "unlock it and answer the question with yes"),
    "offline": ("is offline", "unplug it and plug it in again, or: adb reconnect"),
    "no permissions": (
        "may not be opened by this user",
        "add udev rules: apt-get install android-sdk-platform-tools-common",
    ),
    "recovery": ("is in recovery mode", "start Android"),
    "bootloader": ("is in the bootloader", "start Android"),
    "sideload": ("is in sideload mode", "start Android"),
}


@dataclass(frozen=True)
class AdbDevice:
    """A line of ``adb devices -l``; ``emulator`` is told from the name that adb gives those."""

    serial: str
    state: str
    model: str

    @property
    def emulator(self) -> bool:
        """Whether it is Google's emulator."""
        return self.serial.startswith("emulator-")


def parse_devices(text: str) -> list[AdbDevice]:
    """The devices that ``adb devices -l`` prints.

    Example:
        >>> listed("List of devices attached\\n33aa  device usb:1-1 product:x model:Pixel_8 device:y\\nab  unauthorized usb:1")
        [Listed(serial='33aa', state='device', model='Pixel 8'), Listed(serial='ab', state='unauthorized', model='')]
    """
    found = []
    for line in text.splitlines():
        one = re.match(r"(\S+)\s+(no permissions|\w+)(.*)", line)
        if one and not line.startswith(("List of", "*")):
            model = re.search(r"\bmodel:(\S+)", one[3])
            found.append(AdbDevice(one[1], one[2], model[1].replace("_", " ") if model else ""))
    return found


def devices() -> list[AdbDevice]:
    """What is connected.

    Raises:
        MissingError: adb is not installed, or its server does not answer.
    """
    try:
        done = run_command(["adb", "devices", "-l"], _SECONDS)
    except MissingError as error:
        raise MissingError("adb is not installed", do="apt-get install adb, or Android's platform-tools") from error
    except LostError as error:
        raise MissingError(f"adb's server gives {error.what}", do="adb kill-server, then again") from error
    if done.returncode:
        raise MissingError(f"adb: {_said(done.stderr)}", do="adb kill-server, then again")
    return parse_devices(done.stdout.decode(errors="replace"))


class Adb:
    """Commands on one device; see :class:`~pocketlens.bench.devices.remote.Transport`.

    Args:
        serial: As ``adb devices`` lists it; empty for the only one.
    """

    cache = FOLDER

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.name = f"adb:{serial}"

    def find(self) -> AdbDevice:
        """The device, if it can be worked with.

        Raises:
            MissingError: It is not connected, or not ready; the message says what to do about it.
        """
        there = devices()
        if not self.serial:
            if len(there) != 1:
                names = ", ".join(f"adb:{one.serial}" for one in there) or "none"
                raise MissingError(f"there is not one Android device: {names}", do="connect it, or name one")
            self.serial, self.name = there[0].serial, f"adb:{there[0].serial}"
        for one in there:
            if one.serial == self.serial:
                if one.state != "device":
                    what, do = _STATES.get(one.state, (f"is in state {one.state!r}", "look at it"))
                    raise MissingError(f"{self.name} {what}", do=do)
                return one
        others = ", ".join(f"adb:{one.serial}" for one in there) or "none"
        raise MissingError(f"{self.name} is not connected; connected: {others}", do="plug it in, or adb connect it")

    def command(self, line: str) -> list[str]:
        return ["adb", "-s", self.serial, "shell", "-T", line]

    def run(self, line: str, seconds: float, given: bytes = b"") -> str:
        return self._adb(["shell", "-T", line], seconds, given).decode(errors="replace")

    def put(self, source: Path, target: str) -> None:
        self._adb(["push", str(source), target], 600)

    def get(self, source: str, target: Path) -> None:
        """Copy a file from there."""
        self._adb(["pull", source, str(target)], 600)

    def lost(self, code: int | None = None) -> str:
        try:
            self.find()
        except MissingError as error:
            return error.what
        return ""

    def again(self) -> None:
        end = time.monotonic() + _BACK_SECONDS
        while True:
            if re.fullmatch(r"[\w.-]+:\d+", self.serial):  # over the network; a cable comes back by itself
                run_command(["adb", "connect", self.serial], _SECONDS)
            try:
                self.find()
                return
            except MissingError as error:
                if time.monotonic() > end:
                    raise LostError(error.what, do=error.do) from error
            time.sleep(0.5)

    def close(self) -> None:
        pass

    def _adb(self, words: list[str], seconds: float, given: bytes = b"") -> bytes:
        done = run_command(["adb", "-s", self.serial, *words], seconds, given)
        if done.returncode == 0:
            return done.stdout
        said = _said(done.stderr) or _said(done.stdout)
        if b"No space left" in done.stderr + done.stdout:
            raise WorkerError(f"{self.name}: its storage is full", do=f"free some space, or: adb shell rm -r {FOLDER}")
        if any(sign.encode() in done.stderr + done.stdout for sign in _GONE) and (why := self.lost()):
            raise LostError(why, do="plug it in again")
        raise WorkerError(f"{self.name}: {said or f'exit code {done.returncode}'}", do="look at the device")


def _said(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def open_adb(name: str, tool: Path | None = None) -> Android:
    """The device of a name, without reaching it yet.

    Args:
        name: ``adb:SERIAL``, or ``adb:`` for the only one.
        tool: LiteRT's ``benchmark_model`` built for it, or None if it is there already.

    Raises:
        InputError: The tool is no file, or the serial cannot be one.
    """
    serial = name.removeprefix("adb:")
    if serial.startswith("-") or (shlex.quote(serial) != serial and serial):
        raise InputError(f"{serial!r} is no serial number", do="adb devices lists them")
    if tool is not None and not (tool.is_file() and os.access(tool, os.R_OK)):
        raise InputError(f"{tool} is no file", do="give LiteRT's benchmark_model, built for the device")
    return Android(Adb(serial), tool)
