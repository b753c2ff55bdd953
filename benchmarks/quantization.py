"""Our int8 beside other tools' quantizers with their defaults: picture, size, and how long a frame takes.

    make bench-quantization                                     # everything
    python -m benchmarks.quantization --only build              # quantize and compare; nothing is timed
    python -m benchmarks.quantization --only time --most 300    # time what is not timed yet, for five minutes
    python -m benchmarks.quantization --only table              # print what there is

All start from the same float files and calibrate on the pictures that ship for it; the worst of the three that judge
counts. Files and times are kept in ``--folder`` and not made again; the reason is kept of a tool that fails.
"""

import argparse
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks import notes
from benchmarks.generators import generator
from benchmarks.peers import ROOT
from pocketlens import quality
from pocketlens.bench import statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import measure
from pocketlens.cli import output
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.quantization.plan import Plan, default_plan, rules_for_few_inputs
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.rewrites import registry
from pocketlens.errors import PocketlensError
from pocketlens.files import artifact_bytes, artifact_files
from pocketlens.images import Picture
from pocketlens.models.export import export
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

OURS = ("fp32", "int8")
PEERS = {
    "openvino": ("nncf", "OVQuantizer"),
    "onnx": ("ort-static", "ORTQuantizer"),
    "tflite": ("ai-edge-dynamic", "ai-edge-static", "ai-edge-a16"),
}


@dataclass(frozen=True)
class Cell:
    """One file of the table."""

    generator: str
    target: str
    way: str
    folder: Path

    @property
    def path(self) -> Path:
        """The file's path."""
        return self.folder / f"{self.target}-{self.way}{TARGETS[self.target].suffix}"

    @property
    def label(self) -> str:
        """Its name in the table."""
        return f"{self.target} {self.way}"

    def read(self) -> dict[str, Any]:
        """Its facts; empty if there are none yet."""
        return notes.read(self.path.with_suffix(".json"))

    def keep(self, **facts: object) -> None:
        """Add facts to its note."""
        notes.keep(self.path.with_suffix(".json"), **facts)


def cells(folder: Path, name: str) -> list[Cell]:
    """A generator's rows, in order."""
    return [
        Cell(name, target, way, folder / Path(name).stem)
        for target, peers in PEERS.items()
        for way in (*OURS, *peers)
    ]  # fmt: skip


def build(folder: Path, name: str, size: int, again: bool) -> None:
    """Make the missing files and compare them with the float graph; with ``again``, make our int8 files again."""
    pictures = read_eval_set(None, size, size)
    missing = [c for c in cells(folder, name) if not c.read() or (again and c.way == "int8")]
    if not missing:
        return
    home = missing[0].folder
    home.mkdir(parents=True, exist_ok=True)
    np.save(home / "calibrate.npy", np.stack(pictures.calibration))
    if not (home / "graph.onnx").exists():
        hub.save(export(*_loaded(name, size)), home / "graph.onnx")
    with open_artifact(home / "graph.onnx") as session:
        teachers = [np.clip(session.floats(picture), 0, 255) for picture in pictures.pictures]
    for cell in missing:
        for stale in artifact_files(cell.path) if cell.path.exists() else ():
            stale.unlink()
        reason = _make(cell, pictures.calibration)
        if reason:
            cell.keep(reason=reason)
            print(cell.label, "no file:", reason, flush=True)
            continue
        try:
            with open_artifact(cell.path, threads=2, size=(size, size)) as session:
                played = [np.clip(session.floats(picture), 0, 255) for picture in pictures.pictures]
        except PocketlensError as error:
            cell.keep(reason=f"it does not run: {str(error).splitlines()[0].split('.tflite: ')[-1]}")
            continue
        worst = quality.worst([quality.compare(t, p) for t, p in zip(teachers, played, strict=True)])
        cell.keep(psnr=worst.psnr, ssim=worst.ssim, bytes=artifact_bytes(cell.path))
        print(cell.label, f"{worst.psnr:.1f} dB, SSIM {worst.ssim:.3f}", flush=True)


def _loaded(name: str, size: int) -> tuple[Any, int, int, Any]:
    module, ranges = generator(name)
    return module, size, size, ranges


def emit_ours(model: ir.Model, target_name: str, precision: str, calibrate: tuple[Picture, ...], path: Path) -> None:
    """Write our file of a graph with the rewrites and the plan that a target has by default; the graph is changed."""
    target = TARGETS[target_name]
    names = registry.for_precision(target.rewrites, precision)
    if precision == "int8":
        few = rules_for_few_inputs(model, target.min_int8_input_channels, "int8")
        plan = Plan((*default_plan("int8").rules, *few))
        model = quantize(model, plan, calibrate, target.quantizers, lambda changed: registry.apply(changed, names))
    else:
        registry.apply(model, names)
    emitter(target_name).emit(model, precision, Labels("benchmark"), path)


def _make(cell: Cell, calibrate: tuple[Picture, ...]) -> str:
    """Write a cell's file; returns why that failed, or an empty string."""
    if cell.way in OURS:
        model = hub.load(cell.folder / "graph.onnx")
        emit_ours(model, cell.target, cell.way, calibrate, cell.path)
        return ""
    source = (cell.folder / f"{cell.target}-fp32{TARGETS[cell.target].suffix}").resolve()
    command = [ROOT / ".quantizers/bin/python", "-W", "ignore", "-m", "benchmarks.quantizers"]
    process = subprocess.run(
        [*command, cell.way, source, source.with_name("calibrate.npy"), source.with_name(cell.path.name)],
        cwd=cell.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "" if process.returncode == 0 else (process.stderr.strip().splitlines() or ["it crashed"])[-1]


def times(folder: Path, name: str, size: int, seconds: float) -> None:
    """Time a generator's files, all in turn in one run, unless none has changed since."""
    playable = [cell for cell in cells(folder, name) if "psnr" in cell.read()]
    if all(cell.read().get("timed") == notes.digest(cell.path) for cell in playable):
        return
    picture = read_eval_set(None, size, size).pictures[0]
    cases = [
        BenchmarkCase(cell.label, cell.path, cell.target, cell.way, runtime_for(cell.path).name, picture, threads=2)
        for cell in playable
    ]
    document = measure(cases, BenchmarkSettings(seconds=seconds, count=20, max_seconds=6 * seconds))
    for cell, result in zip(playable, document.results, strict=True):
        if result.blocks:
            frames = statistics.frames(result.blocks)
            p10, p50, p90 = (statistics.percentile(frames, q) for q in (10, 50, 90))
            cell.keep(p10=p10, p50=p50, p90=p90, frames=len(frames), timed=notes.digest(cell.path))


def table(folder: Path, name: str, size: int) -> None:
    """Print the facts of a generator's files."""
    rows = []
    for cell in cells(folder, name):
        facts = cell.read()
        base = Cell(name, cell.target, "fp32", cell.folder).read().get("p50")
        if "reason" in facts:
            rows.append([cell.label, f"no file: {facts['reason']}", "", "", "", ""])
        elif facts:
            timed = f"{facts['p10']:.1f} {facts['p50']:.1f} {facts['p90']:.1f}" if "p50" in facts else "-"
            ratio = f"{base / facts['p50']:.2f}" if base and "p50" in facts else "-"
            score = f"{facts['psnr']:.1f}", f"{facts['ssim']:.3f}"
            rows.append([cell.label, *score, timed, ratio, output.megabytes(facts["bytes"])])
    columns = ["file", "PSNR dB", "SSIM", "ms p10 p50 p90", "fp32 / this", "MB"]
    output.table(columns, rows, f"{Path(name).stem} at {size}x{size}, 2 threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="+", help="a fast-style .npz, or the name of an architecture")
    parser.add_argument("--only", choices=("build", "time", "table"))
    parser.add_argument("--again", action="store_true", help="make our own int8 files again")
    parser.add_argument("--folder", type=Path, default=Path("build/quantization"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=4, help="timed for each file")
    parser.add_argument("--most", type=float, default=3600, help="no generator is begun after so many seconds")
    args = parser.parse_args()
    folder, start = args.folder / str(args.size), time.monotonic()
    for name in args.generators:
        generator_name = str(Path(name).resolve()) if Path(name).exists() else name
        if args.only in (None, "build"):
            build(folder, generator_name, args.size, args.again)
        if args.only in (None, "time") and time.monotonic() - start < args.most:
            times(folder, generator_name, args.size, args.seconds)
        table(folder, generator_name, args.size)


if __name__ == "__main__":
    main()
