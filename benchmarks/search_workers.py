"""One search on one worker of a Dask cluster and on several: trials an hour, by the clock and by processor time.

    python -m benchmarks.search_workers RECIPE --workers 1 4 --trials 8

Each worker is a process with one thread and a cache of its own; the first one measures. Where there are fewer cores
than workers the clock says little, so processor time counts: that of the workers, without their imports.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import psutil
from distributed import Client

from pocketlens.recipe_search.notebook import JOURNAL


def start(folder: Path, name: str, *line: str) -> "subprocess.Popen[bytes]":
    """A Dask command of one thread, with a cache of its own."""
    environment = {**os.environ, "POCKETLENS_CACHE": str(folder / name), "OMP_NUM_THREADS": "1"}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *line, "--no-dashboard"], env=environment, stdout=log, stderr=log, cwd=folder
        )


def seconds(process: "subprocess.Popen[bytes]") -> float:
    """Processor time of a process and its ended children."""
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def finished(folder: Path) -> int:
    """Trials of a search that came to their end, given up ones included."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    return sum(trial.state.is_finished() for trial in study.trials)


def measure(recipe: Path, workers: int, trials: int, folder: Path) -> None:
    """Search once and print a line."""
    file = folder / "scheduler.json"
    started = [start(folder, "scheduler", "scheduler", "--port", "0", "--scheduler-file", str(file))]
    try:
        client = Client(scheduler_file=str(file), timeout=60)
        for number in range(workers):
            held = ["--resources", "device-here=1"] if number == 0 else []
            line = ["worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", *held]
            started.append(start(folder, f"worker-{number}", *line))
        client.wait_for_workers(workers, timeout=120)
        before, begun = [seconds(process) for process in started[1:]], time.monotonic()
        address = client.scheduler.address.replace("tcp://", "dask://")
        line = [sys.executable, "-m", "pocketlens", "search", str(recipe), "-o", str(folder / "search")]
        line += ["--executor", address, "--device", "here", "--trials", str(trials), "--threads", "1", "--fps", "1"]
        environment = {**os.environ, "POCKETLENS_CACHE": str(folder / "searcher")}
        ended = subprocess.run(
            line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        if ended.returncode not in (0, 1):  # 1: no trial holds the gate
            raise SystemExit(f"the search ended with code {ended.returncode}: {ended.stderr[-500:]}")
        took = time.monotonic() - begun
        spent = [seconds(process) - first for process, first in zip(started[1:], before, strict=True)]
        told = finished(folder / "search")
        client.close()
    finally:
        for process in started:
            process.kill()
            process.wait()
    each = ", ".join(f"{value:.0f}" for value in spent)
    print(
        f"{workers} workers: {told} trials in {took:.0f} s, {3600 * told / took:.0f} an hour by the clock; "
        f"{sum(spent):.0f} s of processor time ({each}), {3600 * told / sum(spent):.0f} in an hour of it; "
        f"{sum(spent) / took:.2f} cores busy",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--trials", type=int, default=8)
    options = parser.parse_args()
    for workers in options.workers:
        with tempfile.TemporaryDirectory() as folder:
            measure(options.recipe.resolve(), workers, options.trials, Path(folder))


if __name__ == "__main__":
    main()
