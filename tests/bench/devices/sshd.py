"""An ordinary sshd on loopback, with a host key, a user key and a port of its own."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pocketlens.bench.devices.remote import RemoteDevice
from pocketlens.bench.devices.ssh import open_ssh

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")


@dataclass
class Sshd:
    """A running server; ``home`` holds its keys and what the client needs to know."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    hung: list[int] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.home / "config"

    def device(self, **options: str) -> RemoteDevice:
        options = {"python": sys.executable, **options}
        query = "&".join(f"{name}={value}" for name, value in options.items())
        device = open_ssh(f"ssh://loopback?{query}", self.config)
        device.transport.cache = str(self.home / "cache")
        return device

    def start(self) -> None:
        assert SSHD is not None
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self.home / "sshd_config")],
            stderr=(self.home / "log").open("wb"),
            start_new_session=True,
        )
        end = time.monotonic() + 30
        while b"listening" not in (self.home / "log").read_bytes():
            assert time.monotonic() < end and self.process.poll() is None, (self.home / "log").read_text()
            time.sleep(0.02)

    def hang(self) -> None:
        """Stop the worker that plays; the older one looks after the machine."""
        assert self.process is not None
        worker = max(workers(self.process.pid))
        os.kill(worker, signal.SIGSTOP)
        self.hung.append(worker)

    def stop(self) -> None:
        for pid in self.hung:  # a stopped process does not notice that its connection has ended
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.cut()
            self.process.terminate()
            self.process.wait()
            self.process = None

    def cut(self) -> None:
        """End every connection, as a pulled cable does; the server goes on."""
        assert self.process is not None
        for pid in children(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def children(parent: int) -> list[int]:
    """The processes that a process has started, and what those have, all the way down."""
    pids = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return pids + [inner for pid in pids for inner in children(pid)]


def workers(parent: int) -> list[int]:
    """Those of them that are our workers."""
    return [pid for pid in children(parent) if b"bench.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if SSHD is None or shutil.which("ssh") is None or not Path("/proc/self/task").exists():
        pytest.skip("no ssh server: apt-get install openssh-server openssh-client")
    home = tmp_path_factory.mktemp("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copy(home / "user.pub", home / "authorized_keys")
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/authorized_keys\n"
        f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nUseDNS no\n"
    )
    key = " ".join((home / "host.pub").read_text().split()[:2])
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    (home / "config").write_text(
        f"Host loopback\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  IdentityFile {home}/user\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {home}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
    )
    running = Sshd(home, port)
    running.start()
    yield running
    running.stop()
