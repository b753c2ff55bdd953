"""Pocketlens beside litert-torch, ``ov.convert_model`` and torch's own ONNX export: size, picture, speed, conversion.

    make bench-peers GENERATORS="../shared/data/fast_style/wave.npz animegan2"

Every file is played through the same session in a process of its own; all take turns in one run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conversion import WAYS
from benchmarks.generators import generator
from pocketlens.bench import statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from pocketlens.cli import output
from pocketlens.files import artifact_bytes
from pocketlens.images import Picture, to_uint8
from pocketlens.models.teacher import torch_teacher
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.quality import psnr
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
PEERS = {"litert-torch": ".tflite", "raw-onnx": ".onnx", "raw-openvino": ".xml"}
PEER_OF = {"tflite": "litert-torch", "onnx": "raw-onnx", "openvino": "raw-openvino"}


def convert_all(name: str, size: int, folder: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """Convert in every way, ``repeats`` times in turns. Of each way, the figures of the fastest conversion are kept."""
    conversions: dict[str, dict[str, Any]] = {}
    for _ in range(repeats):
        for way in WAYS:
            target = way.split("-")[1] if way not in PEERS else ""
            path = folder / f"{way}{PEERS.get(way) or TARGETS[target].suffix}"
            python = ROOT / (".peers" if way in PEERS else ".venv") / "bin/python"
            command = [python, "-W", "ignore", "-m", "benchmarks.conversion", way, name, str(size), str(path)]
            process = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            if process.returncode:
                sys.exit(f"{way} failed:\n{process.stderr[-2000:]}")
            figures = json.loads(process.stdout.splitlines()[-1])
            best = conversions.get(way)
            conversions[way] = (
                {"path": path, **figures} if best is None or figures["seconds"] < best["seconds"] else best
            )
    return conversions


def measured(conversions: dict[str, dict[str, Any]], picture: Picture, expected: Picture, seconds: float) -> Document:
    """Play every file in turn, two threads each."""
    cases = []
    for way, conversion in conversions.items():
        runtime = runtime_for(conversion["path"]).name
        cases.append(
            BenchmarkCase(way, conversion["path"], way, "", runtime, picture, expected, min_psnr=40, threads=2)
        )
    return measure(cases, BenchmarkSettings(seconds=seconds, count=50, max_seconds=10 * seconds))


def ratio(document: Document, ours: str, peer: str) -> tuple[float, float, float]:
    """How many times faster ours is: the median over blocks of peer / ours, and the 10th and 90th percentile."""
    blocks = {result.artifact.id: result.blocks for result in document.results}
    pairs = zip(
        blocks[peer], blocks[ours], strict=False
    )  # blocks are played in turns: neighbours met the same state of the machine
    ratios = np.array([np.median(p.frame_ms) / np.median(o.frame_ms) for p, o in pairs])
    return float(np.median(ratios)), *(float(np.percentile(ratios, q)) for q in (10, 90))


def compare(name: str, size: int, seconds: float, repeats: int) -> None:
    """Print the table of one generator."""
    (eval_set,) = [read_eval_set(None, size, size)]
    teacher = torch_teacher(*generator(name))
    picture, expected = eval_set.pictures[0], teacher(eval_set.pictures[0])
    with tempfile.TemporaryDirectory() as scratch:
        conversions = convert_all(name, size, Path(scratch), repeats)
        document = measured(conversions, picture, to_uint8(expected), seconds)
        rows = []
        for result in document.results:
            conversion = conversions[result.artifact.id]
            with open_artifact(conversion["path"]) as session:
                score = psnr(expected, np.clip(session.floats(picture), 0, 255))
            timed = statistics.percentile(statistics.frames(result.blocks), 50) if result.blocks else None
            peer = PEER_OF.get(result.artifact.id.split("-")[1]) if result.artifact.id not in PEERS else None
            faster = "{:.2f} {:.2f}-{:.2f}".format(*ratio(document, result.artifact.id, peer)) if peer else "-"
            rows.append(
                [
                    result.artifact.id,
                    output.megabytes(artifact_bytes(conversion["path"])),
                    f"{score:.1f}",
                    f"{timed:.1f}" if timed is not None else result.failure or "-",
                    faster,
                    f"{conversion['seconds']:.1f}",
                    f"{conversion['import_seconds']:.1f}",
                    f"{conversion['peak_mb']:.0f}",
                ]
            )
    columns = ["file", "MB", "PSNR dB", "p50 ms", "peer / ours", "convert s", "import s", "peak MB"]
    before, after = document.environment.before.load, document.environment.after.load
    output.table(columns, rows, f"{Path(name).stem} at {size}x{size}, 2 threads, load {before} before, {after} after")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generators", nargs="+", help="a fast-style .npz, or the name of an architecture")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=15, help="timed for each file")
    parser.add_argument("--repeats", type=int, default=2, help="conversions of each kind")
    args = parser.parse_args()
    for name in args.generators:
        compare(str(Path(name).resolve()) if Path(name).exists() else name, args.size, args.seconds, args.repeats)


if __name__ == "__main__":
    main()
