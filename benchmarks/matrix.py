"""Every architecture on every target in every precision: picture, size, and how long a frame takes.

    make bench-matrix                                     # everything
    python -m benchmarks.matrix --only build              # convert and compare; nothing is timed
    python -m benchmarks.matrix --only time --most 300    # time what is not timed yet, for five minutes
    python -m benchmarks.matrix --only table              # print what there is

Files are those that ``pocketlens convert`` writes, rewrites and calibration included. Weights follow a rule
(``benchmarks/generators.py``), so that everybody gets the same files. Files and times are kept in ``--folder`` and not
made again. A file that has changed is timed again. The evaluation pictures are those that ship; the score is that of
the worst one.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks import notes
from benchmarks.generators import generator
from pocketlens.bench import statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.runner import has_wheels
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import measure
from pocketlens.cli import output
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import PocketlensError, UnsupportedError, VerificationError
from pocketlens.files import artifact_bytes
from pocketlens.images import Picture, to_uint8
from pocketlens.models import zoo
from pocketlens.models.teacher import torch_teacher
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.targets import TARGETS

PRECISIONS = ("fp32", "fp16", "w8", "int8")
"""The precisions that all targets have. The quality of 8 bits depends on the weights; the rule's are not trained."""
TIMED = [name for name, target in TARGETS.items() if any(has_wheels(runtime) for runtime in target.runtimes)]
"""Targets with a runtime that is timed here: Core ML is played by an interpreter, whose time means nothing."""


@dataclass(frozen=True)
class Cell:
    """One file of the table."""

    architecture: str
    target: str
    precision: str
    folder: Path

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return f"{self.architecture}-{self.target}-{self.precision}"

    @property
    def path(self) -> Path:
        """The file's path, once there is a file."""
        return self.folder / self.name / str(self.read()["file"])

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.name}.json"

    def read(self) -> dict[str, Any]:
        """Its facts; empty if there are none yet."""
        return notes.read(self._note)

    def keep(self, **facts: object) -> None:
        """Add facts to its note."""
        notes.keep(self._note, **facts)


def cells(folder: Path, architectures: list[str]) -> Iterator[Cell]:
    """The table's cells, in order."""
    for architecture in architectures:
        for target in TARGETS:
            for precision in PRECISIONS:
                yield Cell(architecture, target, precision, folder)


def _generator(name: str) -> tuple[nn.Module, Ranges]:
    module, ranges = generator(name)
    if name == "transformer-net":  # the rule alone gives pictures of three shades of black
        with torch.no_grad():
            module.deconv3.conv2d.weight *= 30  # type: ignore[union-attr,operator]
            module.deconv3.conv2d.bias += 120  # type: ignore[union-attr,operator]
    return module, ranges


def build(folder: Path, architectures: list[str], size: int) -> None:
    """Convert the files that are missing. The conversion compares each file with its teacher."""
    folder.mkdir(parents=True, exist_ok=True)
    for architecture in architectures:
        missing = [cell for cell in cells(folder, [architecture]) if not cell.read()]
        if not missing:
            continue
        module, ranges = _generator(architecture)
        checkpoint = folder / f"{architecture}.safetensors"
        save_file({name: value.contiguous() for name, value in module.state_dict().items()}, checkpoint)
        picture = read_eval_set(None, size, size).pictures[0]
        np.save(folder / f"{architecture}.npy", to_uint8(torch_teacher(module, ranges)(picture)))
        for cell in missing:
            try:
                (artifact,) = convert(
                    str(checkpoint), [cell.target], [cell.precision], folder / cell.name,
                    architecture=architecture, size=(size, size),
                )  # fmt: skip
            except (UnsupportedError, VerificationError) as error:
                cell.keep(refused=error.what)
                print(cell.name, error.what, flush=True)
                continue
            score = artifact.verification.worst.psnr
            cell.keep(file=artifact.path.name, psnr=score, bytes=artifact_bytes(artifact.path))
            print(cell.name, f"{score:.1f} dB", flush=True)


def times(folder: Path, architectures: list[str], size: int, seconds: float, most: float) -> None:
    """Time the files without times, those of one architecture in turns in one run, until ``most`` seconds are over."""
    start = time.monotonic()
    for architecture in architectures:
        timeable = [cell for cell in cells(folder, [architecture]) if "psnr" in cell.read() and cell.target in TIMED]
        untimed = [cell for cell in timeable if cell.read().get("timed") != notes.digest(cell.path)]
        if not untimed or time.monotonic() - start > most:
            continue
        picture, expected = read_eval_set(None, size, size).pictures[0], np.load(folder / f"{architecture}.npy")
        cases = [_case(cell, picture, expected) for cell in untimed]
        document = measure(cases, BenchmarkSettings(seconds=seconds, count=20, max_seconds=6 * seconds))
        for cell, result in zip(untimed, document.results, strict=True):
            if result.blocks:
                frames = statistics.frames(result.blocks)
                p50 = statistics.percentile(frames, 50)
                cell.keep(
                    p50=p50, frames=len(frames), timed=notes.digest(cell.path), load=document.environment.before.load
                )
                print(cell.name, f"{p50:.1f} ms", flush=True)


def _case(cell: Cell, picture: Picture, expected: Picture) -> BenchmarkCase:
    runtime = runtime_for(cell.path).name
    return BenchmarkCase(
        cell.name, cell.path, cell.target, cell.precision, runtime, picture, expected, min_psnr=10, threads=2
    )


def table(folder: Path, architectures: list[str], size: int) -> None:
    """Print the facts of all files."""
    rows = []
    for cell in cells(folder, architectures):
        facts = cell.read()
        if "psnr" in facts:
            timed = f"{facts['p50']:.1f}" if "p50" in facts else "-"
            score, size_mb = f"{facts['psnr']:.1f}", output.megabytes(facts["bytes"])
            rows.append([cell.architecture, cell.target, cell.precision, score, size_mb, timed])
        elif facts:
            rows.append([cell.architecture, cell.target, cell.precision, "refused", "-", "-"])
    columns = ["architecture", "target", "precision", "PSNR dB", "MB", "p50 ms"]
    output.table(columns, rows, f"{size}x{size}, 2 threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", default=list(zoo.ARCHITECTURES))
    parser.add_argument("--only", choices=("build", "time", "table"))
    parser.add_argument("--folder", type=Path, default=Path("build/matrix"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=4, help="timed for each file")
    parser.add_argument("--most", type=float, default=3600, help="no architecture is begun after so many seconds")
    args = parser.parse_args()
    folder, names = args.folder / str(args.size), args.architectures
    try:
        if args.only in (None, "build"):
            build(folder, names, args.size)
        if args.only in (None, "time"):
            times(folder, names, args.size, args.seconds, args.most)
    except PocketlensError as error:
        raise SystemExit(str(error)) from error
    table(folder, names, args.size)


if __name__ == "__main__":
    main()
