"""The transport to an Android device with the platform's own ``adb``: commands, files, and every way to fail."""

import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.errors import LostError, WorkerError
from pocketlens.bench.limits import MAX_OUTPUT_BYTES
from pocketlens.bench.processes import run_command
from pocketlens.errors import MissingError

FOLDER = "/data/local/tmp/pocketlens"
"""Where files are put: in this folder adb's own user may write files and start programs."""

_COMMAND_SECONDS = 30.0
_RECONNECT_SECONDS = 20.0
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
    """A line of ``adb devices -l``."""

    serial: str
    state: str
    model: str

    @property
    def emulator(self) -> bool:
        """Whether it is Google's emulator, by the serial number that adb gives those."""
        return self.serial.startswith("emulator-")


def parse_devices(text: str) -> list[AdbDevice]:
    """The devices that ``adb devices -l`` prints.

    Example:
        >>> parse_devices("List of devices attached\\n33aa  device usb:1-1 model:Pixel_8\\nab  unauthorized usb:1")
        [AdbDevice(serial='33aa', state='device', model='Pixel 8'), AdbDevice(serial='ab', state='unauthorized',
        model='')]
    """
    connected = []
    for line in text.splitlines():
        parts = re.match(r"(\S+)\s+(no permissions|\w+)(.*)", line)
        if parts and not line.startswith(("List of", "*")):
            model = re.search(r"\bmodel:(\S+)", parts[3])
            connected.append(AdbDevice(parts[1], parts[2], model[1].replace("_", " ") if model else ""))
    return connected


def devices() -> list[AdbDevice]:
    """The devices that are connected.

    Raises:
        MissingError: adb is not installed, or its server does not answer.
    """
    try:
        process = run_command(["adb", "devices", "-l"], _COMMAND_SECONDS)
    except MissingError as error:
        raise MissingError("adb is not installed", do="apt-get install adb, or Android's platform-tools") from error
    except LostError as error:
        raise MissingError(f"adb's server gives {error.what}", do="adb kill-server, then again") from error
    if process.returncode:
        raise MissingError(f"adb: {_last_line(process.stderr)}", do="adb kill-server, then again")
    return parse_devices(process.stdout.decode(errors="replace"))


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
        connected = devices()
        names = ", ".join(f"adb:{device.serial}" for device in connected) or "none"
        if not self.serial:
            if len(connected) != 1:
                raise MissingError(
                    f"exactly one Android device is needed; connected: {names}",
                    do="connect one, or give its serial number",
                )
            self.serial, self.name = connected[0].serial, f"adb:{connected[0].serial}"
        for device in connected:
            if device.serial == self.serial:
                if device.state != "device":
                    what, do = _STATES.get(device.state, (f"is in state {device.state!r}", "look at it"))
                    raise MissingError(f"{self.name} {what}", do=do)
                return device
        raise MissingError(f"{self.name} is not connected; connected: {names}", do="plug it in, or adb connect it")

    def command(self, line: str) -> list[str]:
        return ["adb", "-s", self.serial, "shell", "-T", line]

    def run(self, line: str, seconds: float, stdin: bytes = b"") -> str:
        return self._adb(["shell", "-T", line], seconds, stdin).decode(errors="replace")

    def put(self, source: Path, target: str) -> None:
        self._adb(["push", str(source), target], 600)

    def read(self, source: str, most: int) -> bytes:
        """The content of a file on the device.

        Raises:
            AnswerError: It is longer than ``most`` bytes.
        """
        return self._adb(["shell", "-T", f"cat {shlex.quote(source)}"], 600, most=most)

    def lost(self, code: int | None = None) -> str:
        try:
            self.find()
        except MissingError as error:
            return error.what
        return ""

    def reconnect(self) -> None:
        end = time.monotonic() + _RECONNECT_SECONDS
        while True:
            if re.fullmatch(r"[\w.-]+:\d+", self.serial):  # over the network; a cable comes back by itself
                run_command(["adb", "connect", self.serial], _COMMAND_SECONDS)
            try:
                self.find()
                return
            except MissingError as error:
                if time.monotonic() > end:
                    raise LostError(error.what, do=error.do) from error
            time.sleep(0.5)

    def close(self) -> None:
        pass

    def _adb(self, arguments: list[str], seconds: float, stdin: bytes = b"", most: int = MAX_OUTPUT_BYTES) -> bytes:
        process = run_command(["adb", "-s", self.serial, *arguments], seconds, stdin, most)
        if process.returncode == 0:
            return process.stdout
        complaint = _last_line(process.stderr) or _last_line(process.stdout)
        if b"No space left" in process.stderr + process.stdout:
            raise WorkerError(f"{self.name}: its storage is full", do=f"free some space, or: adb shell rm -r {FOLDER}")
        if any(sign.encode() in process.stderr + process.stdout for sign in _GONE) and (reason := self.lost()):
            raise LostError(reason, do="plug it in again")
        raise WorkerError(f"{self.name}: {complaint or f'exit code {process.returncode}'}", do="look at the device")


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
