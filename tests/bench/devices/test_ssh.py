import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench import statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.remote import RemoteDevice
from pocketlens.bench.devices.ssh import open_ssh
from pocketlens.bench.measure import BenchmarkProgress, measure
from pocketlens.errors import InputError, MissingError
from tests.bench.cases import QUICK
from tests.bench.devices.sshd import Sshd, children

Make = Callable[..., BenchmarkCase]
SETTINGS = replace(QUICK, answer_seconds=30)


def test_two_runtimes_over_ssh(sshd: Sshd, make_case: Make) -> None:
    device = sshd.device()
    before = set((sshd.home / "cache").glob("run-*"))  # of tests that cut the connection
    document = measure([make_case(), make_case("openvino")], SETTINGS, device=device)
    for result in document.results:
        assert result.failure is None and result.skipped is None and result.resumed == 0
        assert result.check is not None and result.check.psnr >= 50
        assert result.memory is not None and len(statistics.frames(result.blocks)) >= SETTINGS.count
    assert document.environment.device == "ssh://loopback" and not document.environment.emulated
    assert document.environment.host.packages["onnxruntime"] == document.results[0].runtime.version
    assert set((sshd.home / "cache").glob("run-*")) == before, "what a measurement brought is removed"
    assert list((sshd.home / "cache").glob("runner-*")), "the runner stays"


def test_no_worker_is_left(sshd: Sshd, make_case: Make) -> None:
    measure([make_case()], SETTINGS, device=sshd.device())
    assert sshd.process is not None
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(sshd.process.pid)]
    assert not [line for line in lines if b"bench.worker" in line]


@pytest.mark.parametrize("stage", ["warm up", "measure"])
def test_a_dropped_connection_is_made_again(sshd: Sshd, make_case: Make, stage: str) -> None:
    cut = False

    def listen(progress: BenchmarkProgress) -> None:
        nonlocal cut
        if progress.stage == stage and not cut and (stage != "measure" or progress.share > 0.2):
            cut = True
            sshd.cut()

    several = replace(SETTINGS, seconds=0.2)
    first, second = measure([make_case(), make_case("openvino")], several, listen, sshd.device()).results
    assert cut
    for result in (first, second):
        assert result.failure is None and result.resumed == 1
        assert statistics.frames(result.blocks).sum() >= 200


def test_a_device_that_stays_away_keeps_what_it_gave(
    sshd: Sshd, make_case: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocketlens.bench.case._RECONNECT_SECONDS", 0.01)

    def listen(progress: BenchmarkProgress) -> None:
        if progress.stage == "measure" and progress.share > 0.3:
            sshd.stop()

    try:
        several = replace(SETTINGS, seconds=0.3, resumes=1)
        (result,) = measure([make_case()], several, listen, sshd.device()).results
    finally:
        if sshd.process is None:
            sshd.start()
    assert result.failure is not None and "cannot be reached" in result.failure and "refused" in result.failure
    assert result.blocks and result.resumed == 1


def test_a_hung_worker_there_times_out(sshd: Sshd, make_case: Make) -> None:
    def listen(progress: BenchmarkProgress) -> None:
        if progress.stage == "measure" and sshd.process is not None:
            sshd.hang()

    (result,) = measure([make_case()], replace(SETTINGS, answer_seconds=3), listen, sshd.device()).results
    if sshd.process is not None:
        sshd.cut()
    assert result.failure is not None and "no answer to 'play' within 3" in result.failure


def test_an_unknown_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(sshd.config.read_text().replace("UserKnownHostsFile", f"UserKnownHostsFile {tmp_path}/none #"))
    device = open_ssh("ssh://loopback", config)
    with pytest.raises(MissingError, match="Host key verification failed") as error:
        device.missing("litert")
    assert "compare the fingerprint" in error.value.do
    assert not (tmp_path / "none").exists()


def test_a_changed_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    other = (sshd.home / "user.pub").read_text().split()[1]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{sshd.port} ssh-ed25519 {other}\n")
    config = tmp_path / "config"
    config.write_text(sshd.config.read_text().replace(f"{sshd.home}/known_hosts", f"{tmp_path}/known"))
    with pytest.raises(MissingError) as error:
        open_ssh("ssh://loopback", config).missing("litert")
    assert "ssh-keygen -R" in error.value.do


def test_a_key_that_is_not_accepted(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(sshd.config.read_text().replace(f"{sshd.home}/user", f"{sshd.home}/host"))
    with pytest.raises(MissingError, match="Permission denied") as error:
        open_ssh("ssh://loopback", config).missing("litert")
    assert "ssh-copy-id" in error.value.do


@pytest.mark.parametrize(
    ("python", "message"),
    [("/nowhere/python3", "has no /nowhere/python3"), ("echo", "on ssh://loopback said"), ("false", "has no false")],
)
def test_a_machine_without_a_fitting_python(sshd: Sshd, python: str, message: str) -> None:
    device = sshd.device(python=python)
    with pytest.raises(MissingError, match=message):
        device.missing("litert")
    device.close()


def test_a_login_shell_that_greets_does_no_harm(sshd: Sshd, make_case: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    device = sshd.device()
    plain = device.transport.command
    monkeypatch.setattr(device.transport, "command", lambda line: plain(f"echo welcome; {line}"), raising=False)
    monkeypatch.setattr(
        device.transport, "run", type(device.transport).run.__get__(_Plain(device, plain)), raising=False
    )
    (result,) = measure([make_case()], SETTINGS, device=device).results
    assert result.failure is None


class _Plain:
    """The reach's own ``run`` without the greeting: only workers must cope with one."""

    def __init__(self, device: RemoteDevice, command: Callable[[str], list[str]]) -> None:
        self.command, self.name, self._fix = command, device.name, device.transport._fix  # type: ignore[attr-defined]


def test_a_full_disk_is_named(sshd: Sshd, make_case: Make, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root to mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs {small} 2>/dev/null"):
        pytest.skip("file systems cannot be mounted here")
    try:
        device = sshd.device()
        device.transport.cache = str(small / "cache")
        with pytest.raises(Exception, match="no space left") as error:
            measure([make_case()], SETTINGS, device=device)
        assert "free some space" in str(error.value)
    finally:
        os.system(f"umount {small}")


@pytest.mark.parametrize(
    "wrong",
    ["ssh://", "ssh://-oProxyCommand=x", "ssh://h:notaport", "ssh://u:password@h", "ssh://h?pyton=x", "ssh://-u@h"],
)
def test_addresses_that_are_none(wrong: str) -> None:
    with pytest.raises(InputError, match="address"):
        open_ssh(wrong)


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(MissingError) as error:
        open_ssh(f"ssh://127.0.0.1:1?python={sys.executable}", Path("/dev/null")).missing("litert")
    assert "start its ssh server" in error.value.do
