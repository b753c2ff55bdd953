"""Our files beside runtimes that we emit nothing for: MNN, ncnn, and ExecuTorch with XNNPACK.

    make bench-engines GENERATORS="../shared/data/fast_style/wave.npz pocket"

Each peer converts in an environment of its own (benchmarks/peer_conversion.py) and plays in it
(benchmarks/peer_player.py); ours play the same way, in their own runtimes. All files take turns, a few plays each. A
picture is scored against the trained generator. What is under 20 dB is called wrong, and not timed. Files are kept in
build/engines, so that a second run times the same ones.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.generators import generator
from benchmarks.quantization import emit_ours
from pocketlens.cli import output
from pocketlens.images import Picture
from pocketlens.models.export import export
from pocketlens.models.teacher import torch_teacher
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.quality import psnr
from pocketlens.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
PEERS = {
    "mnn": (".mnn", ("fp32", "w8", "int8")),
    "ncnn": (".param", ("fp32",)),
    "executorch": (".pte", ("fp32", "int8")),
}
"""The peers: the suffix of their files, and what their tools make. MNN's ``w8`` computes with ranges found while it
plays; the ncnn package for Python brings no quantizer."""
OURS = {"onnx": "onnxruntime", "openvino": "openvino", "tflite": "litert"}
WRONG_DB = 20.0
COLUMNS = ["runtime", "precision", "dB", "ms", "times our fastest"]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Cell:
    """A file to play, or None where its tool made none."""

    engine: str
    precision: str
    path: Path | None

    @property
    def python(self) -> Path:
        """The interpreter of the environment that plays it."""
        return ROOT / (f".peers-{self.engine}" if self.engine in PEERS else ".venv") / "bin/python"


def theirs(name: str, size: int, folder: Path) -> Iterable[Cell]:
    """Convert with every peer; what was made or refused before is kept."""
    onnx, pictures = folder / "raw.onnx", folder / "calibration.npy"
    if not onnx.exists():
        run([ROOT / ".venv/bin/python", "-W", "ignore", "-m", "benchmarks.conversion", "raw-onnx", name, size, onnx])
    for engine, (suffix, precisions) in PEERS.items():
        for precision in precisions:
            path, refused = (folder / f"{engine}-{precision}{end}" for end in (suffix, ".refused"))
            if not path.exists() and not refused.exists():
                python = Cell(engine, precision, None).python
                command = [python, "-W", "ignore", "-m", "benchmarks.peer_conversion", engine, precision, onnx, path]
                if problem := run([*command, pictures, name], fatal=False):
                    refused.write_text(problem)
            yield Cell(engine, precision, None if refused.exists() else path)


def ours(name: str, size: int, folder: Path, calibrate: tuple[Picture, ...]) -> Iterable[Cell]:
    """Write our files for every runtime that is timed here."""
    cells = [
        (target, Cell(engine, precision, folder / f"{engine}-{precision}{TARGETS[target].suffix}"))
        for target, engine in OURS.items()
        for precision in ("fp32", "int8")
    ]
    if not all(cell.path and cell.path.exists() for _, cell in cells):
        module, ranges = generator(name)
        graph = export(module, size, size, ranges)
        for target, cell in cells:
            assert cell.path is not None
            emit_ours(graph.clone(), target, cell.precision, calibrate, cell.path)
    return [cell for _, cell in cells]


def run(command: list[object], *, fatal: bool = True) -> str:
    """Run a command; the last line of what it says where it fails."""
    process = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if process.returncode == 0:
        return ""
    said = (process.stderr.strip() or process.stdout.strip() or "killed").splitlines()[-1]
    if fatal:
        sys.exit(f"{command[3]} failed: {process.stderr[-2000:]}")
    return said


class Player:
    """A file that plays in a process of its own."""

    def __init__(self, cell: Cell, picture: Path, out: Path, threads: int) -> None:
        command = [cell.python, "-W", "ignore", ROOT / "benchmarks/peer_player.py", cell.engine, cell.path, picture]
        self._process = subprocess.Popen(
            [*map(str, command), str(out), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.is_ready = self._line() == "ready"

    def play(self, count: int) -> list[float]:
        """Wall time of each play in ms."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        times: list[float] = json.loads(self._line())["ms"]
        return times

    def _line(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # some runtimes say other things as well
            if line.startswith(("ready", "{")):
                return line.strip()
        return ""

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compare(name: str, size: int, threads: int, rounds: int) -> list[list[str]]:
    """Convert, play, and give the table of one generator; without rounds only convert."""
    eval_set = read_eval_set(None, size, size)
    picture = eval_set.pictures[0]
    folder = ROOT / "build/engines" / f"{Path(name).stem.replace(':', '-')}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "picture.npy", picture)
    np.save(folder / "calibration.npy", np.stack(eval_set.calibration))
    cells = [*ours(name, size, folder, eval_set.calibration), *theirs(name, size, folder)]
    if not rounds:
        return []
    expected = torch_teacher(*generator(name))(picture)
    with ExitStack() as stack:
        scores, players = {}, {}
        for cell in (cell for cell in cells if cell.path is not None):
            out = folder / f"{cell.engine}-{cell.precision}.npy"
            player = Player(cell, folder / "picture.npy", out, threads)
            stack.callback(player.close)
            if player.is_ready:
                scores[cell] = psnr(expected, np.clip(np.load(out), 0, 255))
                if scores[cell] >= WRONG_DB:
                    players[cell] = player
        times: dict[Cell, list[list[float]]] = {cell: [] for cell in players}
        for _ in range(rounds):
            for cell, player in players.items():
                times[cell].append(player.play(4)[1:])  # the first follows another's and is not counted
    return table(cells, scores, times)


def table(cells: list[Cell], scores: dict[Cell, float], times: dict[Cell, list[list[float]]]) -> list[list[str]]:
    """Rows of text. Ratios are of medians of a round to those of our fastest file of that kind, floats or integers."""
    medians = {cell: np.array([np.median(turn) for turn in turns]) for cell, turns in times.items()}
    rows = []
    for is_float in (True, False):
        of_kind = [cell for cell in cells if (cell.precision == "fp32") == is_float]
        best = min((c for c in of_kind if c in medians and c.engine not in PEERS), key=lambda c: np.median(medians[c]))
        for cell in of_kind:
            score = f"{scores[cell]:.1f}" if cell in scores else "-"
            if cell not in medians:
                why = "no file" if cell.path is None else "wrong" if cell in scores else "does not play"
                rows.append([cell.engine, cell.precision, score, why, "-"])
                continue
            ratio = medians[cell] / medians[best]
            spread = f"{np.median(ratio):.2f} ({np.percentile(ratio, 10):.2f}-{np.percentile(ratio, 90):.2f})"
            rows.append([cell.engine, cell.precision, score, f"{np.median(medians[cell]):.1f}", spread])
    return rows


def write_page(page: Path, tables: dict[str, list[list[str]]]) -> None:
    """Replace what stands behind a page's heading ``## Tables``."""
    head = page.read_text().partition("## Tables\n")[0]
    parts = [f"{head}## Tables\n"]
    for title, rows in tables.items():
        lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
        parts.append(f"\n**{title}**\n\n" + "\n".join(lines) + "\n")
    page.write_text("".join(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="+", help="a fast-style .npz, or the name of an architecture")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12, help="0 to convert and play nothing")
    parser.add_argument("--page", type=Path, help="a page of docs/figures to write the tables into")
    args = parser.parse_args()
    tables = {}
    for name in args.generators:
        path = Path(name)
        rows = compare(str(path.resolve()) if path.exists() else name, args.size, args.threads, args.rounds)
        load = os.getloadavg()[0]
        title = f"{path.stem} at {args.size} x {args.size}, {args.threads} threads, load {load:.1f} at the end"
        tables[title] = rows
        if rows:
            output.table(COLUMNS, rows, title)
            if args.page:
                write_page(args.page, tables)


if __name__ == "__main__":
    main()
