"""Kills commands at random moments with SIGKILL and runs them again: ``python -m tests.attacks.kill COUNT [FIRST]``.

What must hold after a kill: no file of the output is there in part, and no process that the command started is left.
After the next run: the same bytes as without a kill, and nothing of the killed run beside them. Files with times in
them differ from run to run; which they are is found by two runs without a kill.

Commands run in forks of this process, which has imported what takes seconds to import.
"""

import contextlib
import gc
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pocketlens.files import files_under, sha256

_RECIPE = """
[filter]
name = "small"
source = "{home}/teacher.safetensors"
architecture = "pocket"
sizes = [[32, 32]]
license = "MIT"
[accelerators]
litert_gpu = "off"
[targets]
onnx = ["fp32", "int8"]
tflite = ["fp32"]
"""
_COMPRESS = "[compress]\nsteps = 6\nwidth = 8\nhalf_res_channels = 8\nblocks = 1\npictures = 8\n"
_LIMIT_S = 300.0
_END_S = 15.0
"""How long what a killed command has started may take to end."""

Tree = dict[str, str]


@dataclass(frozen=True)
class Job:
    """A command that is killed: its arguments, what it writes, and which of that must be the same bytes each time.

    A bundle is there whole or not at all (``at_once``); other commands write one file after the other, each whole.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    same: tuple[str, ...]
    at_once: bool = False


JOBS = (
    Job("build", ("build", "small.toml", "-o", "out.bundle", "--no-bench"), ("out.bundle",),
        ("out.bundle/manifest.json", "out.bundle/artifacts/tflite-fp32-32x32.tflite"), at_once=True),
    Job("distill", ("distill", "student.toml", "-o", "student", "--no-bench", "--threads", "1"), ("student",),
        ("student/student.safetensors",)),
    Job("quantize", ("quantize", "teacher.safetensors", "-t", "onnx", "--size", "32x32", "--points", "2", "-o", "plans",
        "--psnr", "20", "--ssim", "0.1", "--no-bench", "--threads", "1"), ("plans",), ()),
    Job("bench", ("bench", "base.bundle", "--seconds", "0.2", "-o", "d.json", "--report", "r.html"),
        ("d.json", "r.html"), ()),
)  # fmt: skip


class Campaign:
    """Jobs in a folder of their own."""

    def __init__(self, home: Path) -> None:
        from pocketlens.cli import load_commands
        from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
        from pocketlens.models.pocket import Pocket

        load_commands()
        import_all()
        self.home = home
        sizes = {"channels": 16, "instance_norm": 1}
        save_checkpoint(Pocket(**sizes), home / "teacher.safetensors", CheckpointMetadata("pocket", sizes))
        (home / "small.toml").write_text(_RECIPE.format(home=home))
        (home / "student.toml").write_text(_RECIPE.format(home=home) + _COMPRESS)
        self.seconds: dict[str, float] = {}
        self.expected: dict[str, Tree] = {}

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Run each job twice without a kill: how long it takes, and which bytes are the same."""
        if any(job.name == "bench" for job in jobs):
            self.run(Job("base", ("build", "small.toml", "-o", "base.bundle", "--no-bench"), (), ()))
        for job in jobs:
            trees = []
            for _ in range(2):
                self.clear(job, cache=True)
                began = time.monotonic()
                code = self.run(job)
                assert code in (0, 1), f"{job.name} ended with {code}: {(self.home / 'log').read_text()[-2000:]}"
                self.seconds[job.name] = time.monotonic() - began
                trees.append(self.tree(job))
            self.expected[job.name] = {n: digest for n, digest in trees[0].items() if trees[1].get(n) == digest}
            lacking = set(job.same) - set(self.expected[job.name])
            assert not lacking, f"{job.name}: not the same in two runs: {sorted(lacking)} of {sorted(trees[0])}"

    def clear(self, job: Job, *, cache: bool) -> None:
        for name in (*job.outputs, *(["cache"] if cache else [])):
            path = self.home / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def tree(self, job: Job) -> Tree:
        """The digest of every file that the job has written."""
        found = [f for name in job.outputs for f in _files(self.home / name)]
        return {file.relative_to(self.home).as_posix(): sha256(file) for file in found}

    def run(self, job: Job, kill_after_s: float | None = None) -> int:
        """Run a job; its exit code, -9 if it was killed."""
        pid = os.fork()
        if pid == 0:
            self._child(job)
        end_s = time.monotonic() + (_LIMIT_S if kill_after_s is None else kill_after_s)
        while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > end_s:
                started = descendants(pid)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                assert kill_after_s is not None, f"{job.name} does not end"
                left = wait_for(started)
                assert not left, f"{job.name} left {left}"
                return -9
            time.sleep(0.005)
        return os.waitstatus_to_exitcode(done[1])

    def _child(self, job: Job) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(self.home)
            os.environ |= {"POCKETLENS_CACHE": str(self.home / "cache"), "TMPDIR": str(self.home)}
            tempfile.tempdir = None
            log = os.open(self.home / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.argv = ["pocketlens", *job.arguments]
            from pocketlens.cli import app

            app()
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            os._exit(code)

    def kill_once(self, job: Job, chance: random.Random) -> str:
        """Kill a job at a random moment, look at what is there, and run it again; what the kill left of the output."""
        self.clear(job, cache=chance.random() < 0.5)
        code = self.run(job, chance.uniform(0, self.seconds[job.name]))
        expected, after = self.expected[job.name], self.tree(job)
        for name, digest in after.items():
            assert expected.get(name, digest) == digest, f"{job.name} left a part of {name}"
            check_whole(self.home / name)
        folders = [name for name in job.outputs if (self.home / name).is_dir()]
        missing = {name for name in expected if name.partition("/")[0] in folders} - set(after)
        assert not (missing and job.at_once), f"{job.name} left {folders} without {sorted(missing)}"
        again = self.run(job)
        assert again in (0, 1), f"{job.name} after a kill ends with {again}: {(self.home / 'log').read_text()[-2000:]}"
        now = self.tree(job)
        assert {name: now.get(name) for name in expected} == expected, f"{job.name} gives other bytes after a kill"
        left = [p for p in self.home.rglob(".*partial-*") if "cache" not in p.parts]
        assert not left, f"{job.name} left {left}"
        return "ended before" if code != -9 else "nothing" if not after else "whole"


def import_all() -> None:
    """Import what the commands import inside of functions, so that a fork need not."""
    import pocketlens.pipeline.commands.build
    import pocketlens.pipeline.commands.distill
    import pocketlens.pipeline.commands.quantize  # noqa: F401

    for library in (
        "onnxscript", "onnxruntime", "torch.onnx", "torch._dynamo", "ai_edge_litert.interpreter",
        "ai_edge_litert.schema_py_generated", "matplotlib.pyplot", "skimage", "flip_evaluator", "cyclonedx.output.json",
        "rich.progress", "pydantic.type_adapter",
    ):  # fmt: skip
        with contextlib.suppress(ImportError):
            __import__(library)
    Image.init()
    gc.freeze()  # a fork's collector then leaves alone what is imported here


def check_whole(path: Path) -> None:
    """Check that a document is not cut off."""
    if path.suffix == ".json":
        json.loads(path.read_text("utf-8"))
    elif path.suffix == ".html":
        assert path.read_text("utf-8").rstrip().endswith("</html>"), f"{path} is cut off"


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and what those have."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    pids = [int(word) for word in listed.split()]
    return pids + [inner for child in pids for inner in descendants(child)]


def wait_for(pids: Sequence[int]) -> list[int]:
    """Those of the processes that are still there after a while."""
    end_s = time.monotonic() + _END_S
    while (left := [pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and not _is_dead(pid)]) and (
        time.monotonic() < end_s
    ):
        time.sleep(0.05)
    return left


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def _files(path: Path) -> list[Path]:
    return files_under(path) if path.is_dir() else [path] if path.is_file() else []


def run_campaign(home: Path, count: int, first: int = 0, say: Callable[[str], None] = lambda _: None) -> Counter[str]:
    """Kill ``count`` times, each job in turn; what the kills left of the outputs, by job."""
    campaign = Campaign(home)
    campaign.prepare(JOBS if count >= len(JOBS) else JOBS[:count])
    say(", ".join(f"{name} takes {seconds:.1f} s" for name, seconds in campaign.seconds.items()))
    counts: Counter[str] = Counter()
    for number in range(first, first + count):
        job = JOBS[number % len(JOBS)]
        counts[f"{job.name}: {campaign.kill_once(job, random.Random(number))}"] += 1
        say(f"{number + 1 - first} of {count}: {dict(sorted(counts.items()))}")
    return counts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pocketlens-kill-") as folder:
        totals = run_campaign(Path(folder), *map(int, sys.argv[1:]), say=lambda line: print(line, flush=True))
    print(json.dumps(dict(sorted(totals.items())), indent=2))
