"""A search on workers that are processes of this machine, each with a cache of its own."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pocketlens.errors import InputError, MissingError
from pocketlens.recipe_search.cluster import ClusterExecutor
from pocketlens.recipe_search.command import SearchResult, search
from pocketlens.recipe_search.keep import read_trial
from tests.conftest import ROOT
from tests.recipe_search.conftest import write_recipe

distributed = pytest.importorskip("distributed", reason="pip install 'pocketlens[cluster]'")


class Cluster:
    """A scheduler and two workers; the first holds the device."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers = folder, dict[str, subprocess.Popen[bytes]]()
        file = folder / "scheduler.json"
        where = ("--scheduler-file", str(file), "--no-dashboard")
        self.scheduler = self._start("scheduler", "scheduler", "--port", "0", *where)
        self.client = distributed.Client(scheduler_file=str(file), timeout=60)
        self.address = self.client.scheduler.address.replace("tcp://", "dask://")
        for name, *more in (("first", "--resources", "device-here=1"), ("second",)):
            self.workers[name] = self._start(
                name, "worker", *where, "--nthreads", "1", "--no-nanny", "--name", name, *more
            )
        self.client.wait_for_workers(2, timeout=120)

    def _start(self, name: str, *line: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "POCKETLENS_CACHE": str(self.folder / name)}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *line], env=environment, stdout=log, stderr=log, cwd=self.folder
            )

    def close(self) -> None:
        self.client.close()
        for process in (*self.workers.values(), self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    yield started
    started.close()


def test_a_device_that_nobody_holds_is_named(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no worker holds device-pi5; devices that workers hold: device-here"):
        search(write_recipe(tmp_path), tmp_path / "out", executor=cluster.address, devices=("pi5",), trials=1)


def test_a_worker_of_another_version_is_refused_by_name(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketlens.recipe_search.cluster.stage_key", lambda: "of another version")
    with pytest.raises(MissingError, match=r"no worker that can be used; \w+ at tcp://\S+ is of another version"):
        ClusterExecutor(cluster.address)


def test_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'ray://x:1' is no executor"):
        ClusterExecutor("ray://x:1")
    with pytest.raises(MissingError, match=r"the scheduler tcp://127.0.0.1:1 does not answer"):
        ClusterExecutor("dask://127.0.0.1:1")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" * 4096,
        (1).to_bytes(8, "little") + (2**60).to_bytes(8, "little"),
    ],
)
def test_another_service_at_the_address(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketlens.recipe_search.cluster._CONNECT_S", 3)
    open_channels = []

    def answer(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                open_channels.append(server.accept()[0])
                open_channels[-1].sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        with pytest.raises(MissingError, match=f"{port} (is no Dask scheduler|does not answer)"):
            ClusterExecutor(f"dask://127.0.0.1:{port}")


def test_a_worker_that_dies_in_a_training_loses_nothing(
    cluster: Cluster, searched: SearchResult, tmp_path: Path
) -> None:
    """What a cluster gives is what this machine gives alone, with the same seed; and it is told once."""

    def kill() -> None:
        while not any("training" in str(key) for keys in cluster.client.processing().values() for key in keys):
            time.sleep(0.05)
        cluster.workers["second"].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    out = tmp_path / "out"
    found = search(
        write_recipe(tmp_path), out, executor=cluster.address, devices=("here",), fps=2.0, trials=2, threads=1
    )
    killer.join()
    assert [point.trial for point in found.points] == [0, 1]
    for trial in (0, 1):
        first, other = read_trial(out, trial), read_trial(searched.folder, trial)
        assert first["candidate"] == other["candidate"]
        assert (first["scores"], first["bytes"]) == (other["scores"], other["bytes"])
