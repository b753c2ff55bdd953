"""A search on a Dask cluster whose machines are network namespaces: one is killed, one is cut off, one is too old.

    sudo python -m lab.cluster /tmp/cluster [--cut 60]

A bridge is the network. The scheduler, four workers and a fifth of another version each have a namespace, an address
and a cache of their own; the first worker holds the device ``pi5``. The searcher runs outside. In the middle of a
training its worker is killed; in the middle of another one the cable of its worker is pulled for a minute. In the end
every trial must have the score and the bytes that a search without a cluster gives it.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BRIDGE, NET, WORKERS = "pl-bridge", "10.77.0", 4
SCHEDULER = f"{NET}.2"
RECIPE = """
[filter]
name = "tiny"
source = "t.safetensors"
sizes = [[64, 64]]
[targets]
onnx = ["fp32"]
[compress]
pictures = 24
[search]
students = ["pocket"]
width = [8, 16]
half_res_channels = [4, 4]
blocks = [1, 1]
steps = [300, 400]
first_rung = 100
threads = [1]
"""


def run(*line: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(line, check=True)


def connect(name: str, address: str) -> None:
    """A namespace with a cable to the bridge."""
    run("ip", "netns", "add", name)
    run("ip", "link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", f"v-{name}", "master", BRIDGE, "up")
    run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        run("ip", "-n", name, "link", "set", device, "up")


class Lab:
    """The network and its machines; whatever happens, nothing of it stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Lab":
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{NET}.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        self.start("pl-sched", SCHEDULER, "scheduler", "--port", "8786", "--no-dashboard")
        for number in range(1, WORKERS + 1):
            held = ["--resources", "device-pi5=1"] if number == 1 else []
            self.worker(f"pl-w{number}", f"{NET}.{10 + number}", *held)
        self.worker("pl-old", f"{NET}.20", code=self._older())
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
        for name in self.processes:
            subprocess.run(["ip", "netns", "del", name], check=False)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False)

    def worker(self, name: str, address: str, *more: str, code: Path = ROOT) -> None:
        """A machine with one worker, which is not started again when it dies."""
        line = ["worker", f"tcp://{SCHEDULER}:8786", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
        self.start(name, address, *line, "--death-timeout", "300", *more, code=code)

    def start(self, name: str, address: str, *line: str, code: Path = ROOT) -> None:
        """A machine that runs one Dask command."""
        connect(name, address)
        environment = {**os.environ, "PYTHONPATH": str(code), "POCKETLENS_CACHE": str(self.folder / f"cache-{name}")}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", name, sys.executable, "-m", "dask", *line],
                env=environment | {"OMP_NUM_THREADS": "1"}, stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """End a machine as a power cut would."""
        self.processes[name].send_signal(signal.SIGKILL)

    def cable(self, name: str, state: str) -> None:
        """Pull a machine's cable, ``down``, or put it in again, ``up``."""
        run("ip", "link", "set", f"v-{name}", state)

    def _older(self) -> Path:
        """This code with a line more."""
        copied = self.folder / "older"
        shutil.copytree(ROOT / "pocketlens", copied / "pocketlens", ignore=shutil.ignore_patterns("__pycache__"))
        with (copied / "pocketlens" / "chips.py").open("a") as file:
            file.write("# older\n")
        return copied


def trainer(client: Any, search: "subprocess.Popen[str]", but: str = "") -> str:
    """The name of a worker that trains just now and holds no device; waits for one."""
    while search.poll() is None:
        names = {address: info["name"] for address, info in client.scheduler_info(n_workers=-1)["workers"].items()}
        for address, keys in client.processing().items():
            name = names.get(address, "")
            if any("training" in str(key) for key in keys) and name not in ("", "pl-w1", but):
                return name
        time.sleep(0.2)
    raise SystemExit("the search ended too early")


def begin_search(folder: Path, name: str, *more: str) -> "subprocess.Popen[str]":
    """A search in a cache of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POCKETLENS_CACHE": str(folder / f"cache-{name}")}
    line = [sys.executable, "-m", "pocketlens", "search", str(folder / "tiny.toml"), "-o", str(folder / name)]
    return subprocess.Popen(
        [*line, "--fps", "2", "--trials", "4", "--threads", "1", *more], env=environment | {"OMP_NUM_THREADS": "1"},
        stdout=(folder / f"{name}.out").open("w"), stderr=(folder / f"{name}.err").open("w"), text=True, cwd=folder,
    )  # fmt: skip


def trials(folder: Path, name: str) -> dict[int, tuple[float, int]]:
    """Of each trial that came to its end: its score and the bytes of its file."""
    documents = [json.loads(path.read_text()) for path in sorted((folder / name).glob("trials/*/trial.json"))]
    return {document["trial"]: (document["scores"]["ssim"], document["bytes"]) for document in documents}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cut", type=float, default=60.0)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True)
    import torch
    from distributed import Client

    from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
    from pocketlens.models.pocket import Pocket

    torch.manual_seed(0)
    arguments = {"channels": 16, "blocks": 1, "instance_norm": 1}
    save_checkpoint(Pocket(**arguments), folder / "t.safetensors", CheckpointMetadata("pocket", arguments))
    (folder / "tiny.toml").write_text(RECIPE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with Lab(folder) as lab:
        client = Client(f"tcp://{SCHEDULER}:8786", timeout=120)
        client.wait_for_workers(WORKERS + 1, timeout=300)
        began = time.monotonic()
        search = begin_search(folder, "cluster", "--executor", f"dask://{SCHEDULER}:8786", "--device", "pi5")
        first = trainer(client, search)
        time.sleep(2)
        lab.kill(first)
        print(f"{time.monotonic() - began:.0f} s: killed {first} in the middle of a training", flush=True)
        second = trainer(client, search, first)
        lab.cable(second, "down")
        print(f"{time.monotonic() - began:.0f} s: pulled the cable of {second}", flush=True)
        time.sleep(options.cut)
        lab.cable(second, "up")
        print(f"{time.monotonic() - began:.0f} s: put it in again", flush=True)
        code = search.wait()
        print(f"{time.monotonic() - began:.0f} s: the search ended with {code}", flush=True)
        client.close()
    begin_search(folder, "alone").wait()
    on_cluster, alone = trials(folder, "cluster"), trials(folder, "alone")
    print("refused:", [line for line in (folder / "cluster.err").read_text().splitlines() if "another version" in line])
    print("on the cluster:", on_cluster)
    print("on this machine alone:", alone)
    different = [number for number in on_cluster.keys() & alone.keys() if on_cluster[number] != alone[number]]
    sys.exit(f"trials differ: {different}" if different else code)


if __name__ == "__main__":
    main()
