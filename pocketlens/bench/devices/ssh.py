"""A device over ssh: OpenSSH's client with the user's own keys and configuration."""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pocketlens.bench.devices.remote import RemoteDevice
from pocketlens.bench.errors import LostError, WorkerError
from pocketlens.bench.processes import Tail, end, run_command
from pocketlens.errors import InputError, MissingError
from pocketlens.files import regular

_CONNECT_SECONDS = 15
_CONNECTION_FAILED = 255
"""ssh's own exit code when the connection has failed, and not the command."""

_WATCHED = (
    'exec 3<&0; "$@" </dev/null 3<&- & child=$!; (cat <&3; kill $child) >/dev/null 2>&1 & watch=$!; '
    "wait $child; code=$?; kill $watch; exit $code"
)
"""A shell line that runs its arguments until they end, or until its standard input closes: then whoever started it has
ended, perhaps killed, and the connection is not to outlive it.
"""

_FIXES = (
    (
        "IDENTIFICATION HAS CHANGED",
        "its host key is another one than before; if that is right, forget the old one: ssh-keygen -R {host}",
    ),
    (
        "Host key verification failed",
        "its host key is not known: log in once by hand (ssh {login}), compare the fingerprint that it shows, "
        "answer yes",
    ),
    ("Permission denied", "it does not accept your keys: ssh-copy-id {login}, or ssh-add the one that it knows"),
    ("Could not resolve", "check the name; on a home network it may end in .local"),
    ("Connection refused", "start its ssh server: sudo systemctl enable --now ssh"),
    ("timed out", "check that it is on, and on this network"),
    ("No route to host", "check that it is on, and on this network"),
    ("Bad configuration", "correct your ssh configuration"),
)


class Ssh:
    """Commands over one shared connection; see :class:`~pocketlens.bench.devices.remote.Transport`.

    Host keys are checked as the user's configuration says; OpenSSH's default refuses unknown ones when nobody can be
    asked.

    Args:
        name: As users write it.
        login: ``user@host``, or a name of the user's ``~/.ssh/config``.
        port: The port, or None for the configured one.
        config: Another configuration file than ``~/.ssh/config``, or None.
    """

    cache = "~/.cache/pocketlens-bench"

    def __init__(self, name: str, login: str, port: int | None = None, config: Path | None = None) -> None:
        self.name, self._login, self._port = name, login, port
        self._home = tempfile.mkdtemp(prefix="pl-")  # short: the path of a socket may have about 100 letters
        self._options = [
            *(["-F", str(config)] if config else []),
            *(["-p", str(port)] if port else []),
            *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}", "-o", "ConnectionAttempts=2"),
            *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-o", f"ControlPath={self._home}/c"),
        ]
        self._master: subprocess.Popen[bytes] | None = None
        self._complaints: Tail | None = None

    def command(self, line: str) -> list[str]:
        self._connect()
        return ["ssh", *self._options, "-o", "ControlMaster=no", "-T", self._login, "--", f"sh -c {shlex.quote(line)}"]

    def run(self, line: str, seconds: float, stdin: bytes = b"") -> str:
        process = run_command(self.command(line), seconds, stdin)
        complaint = process.stderr.decode(errors="replace").strip()
        if process.returncode == _CONNECTION_FAILED:
            raise LostError(f"{self.name} cannot be reached: {_last_line(complaint)}", do=self._fix(complaint))
        if process.returncode:
            if "No space left" in complaint:
                raise WorkerError(f"{self.name}: no space left on its disk", do="free some space on it")
            raise WorkerError(
                f"{self.name}: {_last_line(complaint) or f'exit code {process.returncode}'}", do="look at the machine"
            )
        return process.stdout.decode(errors="replace")

    def put(self, source: Path, target: str) -> None:
        quoted = shlex.quote(target)
        self.run(f"cat > {quoted}.part && mv {quoted}.part {quoted}", 600, source.read_bytes())

    def lost(self, code: int | None = None) -> str:
        if code == _CONNECTION_FAILED:
            return "ssh was cut off"
        try:
            self.run("true", _CONNECT_SECONDS)
        except (WorkerError, MissingError) as error:
            return error.what
        return ""

    def reconnect(self) -> None:
        if not self.lost():
            return  # another worker has reconnected already
        self._disconnect()
        try:
            self.run("true", 2 * _CONNECT_SECONDS)
        except MissingError as error:
            raise LostError(error.what, do=error.do) from error

    def close(self) -> None:
        self._disconnect()
        shutil.rmtree(self._home, ignore_errors=True)

    def _connect(self) -> None:
        """Open the one connection that all commands share; without it each would log in by itself."""
        if self._master is not None and self._master.poll() is None:
            return
        if shutil.which("ssh") is None:
            raise MissingError("ssh is not installed", do="apt-get install openssh-client")
        if not Path(self._home).is_dir():
            self._home = tempfile.mkdtemp(prefix="pl-")
            self._options[-1] = f"ControlPath={self._home}/c"
        line = ["ssh", *self._options, "-o", "ControlMaster=yes", "-N", "-T", self._login]
        master = subprocess.Popen(
            ["sh", "-c", _WATCHED, "sh", *line],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert master.stderr is not None
        self._master, self._complaints = master, Tail(master.stderr)
        end_s = time.monotonic() + 2 * _CONNECT_SECONDS + 5
        while time.monotonic() < end_s and master.poll() is None and not Path(self._home, "c").exists():
            time.sleep(0.02)
        if Path(self._home, "c").exists() and master.poll() is None:
            return
        self._disconnect()
        complaint = self._complaints.text().strip() or "it did not answer in time: timed out"
        raise MissingError(f"{self.name} cannot be reached: {_last_line(complaint)}", do=self._fix(complaint))

    def _disconnect(self) -> None:
        if self._master is not None and self._complaints is not None:
            assert self._master.stdin is not None
            self._master.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._master.wait(5)
            end(self._master)
            self._complaints.close()
            self._master = None
        Path(self._home, "c").unlink(missing_ok=True)

    def _fix(self, complaint: str) -> str:
        host = self._login.rpartition("@")[2]
        host = f"[{host}]:{self._port}" if self._port else host
        login = f"{self._login} -p {self._port}" if self._port else self._login
        return next(
            (fix.format(host=host, login=login) for sign, fix in _FIXES if sign in complaint), f"try: ssh {login}"
        )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def open_ssh(name: str, config: Path | None = None) -> RemoteDevice:
    """The device of an address, without reaching it yet.

    Args:
        name: ``ssh://[user@]host[:port][?python=PATH]``.
        config: Another configuration file than ``~/.ssh/config``, or None.

    Raises:
        InputError: The address is not one, or the configuration is no file.
    """
    if config is not None and config != Path(os.devnull):  # which means none, as for ssh itself
        regular(config)
    try:
        parts = urlsplit(name)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{name!r} is not an address: {error}", do=_ADDRESSES) from error
    options = parse_qs(parts.query)
    host = parts.netloc.rpartition("@")[2].partition(":")[0] if not parts.netloc.endswith("]") else parts.hostname
    user = unquote(parts.username) if parts.username else ""
    unknown = set(options) - {"python"}
    if parts.scheme != "ssh" or not host or host.startswith("-") or user.startswith("-") or unknown or parts.password:
        raise InputError(f"{name!r} is not an address of a device", do=_ADDRESSES)
    login = f"{user}@{host}" if user else host
    shown = f"ssh://{login}{f':{port}' if port else ''}"
    return RemoteDevice(Ssh(shown, login, port, config), options.get("python", ["python3"])[-1])


_ADDRESSES = (
    "write ssh://user@host, ssh://user@host:port or 'ssh://user@host?python=/path/to/python'; keys come from ssh itself"
)
