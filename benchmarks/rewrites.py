"""What the rewrites gain: each target's file with and without its default rewrites, beside what other tools make of the same generator.

    make bench-rewrites ARCHITECTURES="../shared/data/fast_style/wave.npz animegan2"

All files of a generator take turns in one run, two threads each, each in a process of its own. Ratios are medians over rounds of
neighbouring blocks, with their 10th and 90th percentile.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.generators import generator
from benchmarks.peers import PEER_OF, PEERS, ROOT, ratio
from pocketlens.bench import statistics
from pocketlens.bench.document import Document, Settings
from pocketlens.bench.measure import measure
from pocketlens.bench.subject import Subject
from pocketlens.cli import output
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import SUFFIXES, Labels, emitter
from pocketlens.converters.rewrites import registry
from pocketlens.files import remove
from pocketlens.images import Picture
from pocketlens.models.export import export
from pocketlens.pipeline.pictures import judges
from pocketlens.quality import psnr
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.runtimes.session import open_artifact

TARGETS = ("onnx", "openvino", "tflite")


def ours(
    name: str, size: int, targets: list[str], sets: list[str], folder: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """Emit each target from the plain graph and from the rewritten one; what changed it, by file."""
    if not (folder / "graph.onnx").exists():
        module, ranges = generator(name)
        hub.save(export(module, size, size, ranges), folder / "graph.onnx")
    files, changed = {}, {}
    for target in targets:
        for chosen in sets:
            model = hub.load(folder / "graph.onnx")
            names = {"none": (), "default": registry.defaults(target), "all": tuple(registry.REWRITES)}
            found = registry.apply(model, names.get(chosen, tuple(chosen.split("+"))))
            label = f"{target} {chosen}"
            path = folder / f"{label.replace(' ', '-')}{SUFFIXES[target]}"
            remove(path)
            emitter(target).emit(model, "fp32", Labels("benchmark"), path)
            files[label], changed[label] = path, ", ".join(found)
    return files, changed


def theirs(name: str, size: int, targets: list[str], folder: Path) -> dict[str, Path]:
    """Let the peers convert the generator, in their own environment; one that cannot is left out, and said so."""
    files = {}
    for target in targets:
        way = PEER_OF[target]
        path = folder / f"{way}{PEERS[way]}"
        command = [
            ROOT / ".peers/bin/python",
            "-W",
            "ignore",
            "-m",
            "benchmarks.conversion",
            way,
            name,
            str(size),
            path,
        ]
        found = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
        )
        if found.returncode:
            print(f"{way} failed: {found.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        else:
            files[way] = path
    return files


def played(files: dict[str, Path], picture: Picture, seconds: float) -> Document:
    """Time all files in turn."""
    subjects = [
        Subject(label, path, label.split()[0], "fp32", runtime_for(path).name, picture, threads=2)
        for label, path in files.items()
    ]
    return measure(subjects, Settings(seconds=seconds, count=20, most_seconds=10 * seconds))


def compare(
    name: str, size: int, targets: list[str], sets: list[str], seconds: float, peers: bool, folder: Path
) -> None:
    """Print the table of one generator; files of the peers and the graph that are in the folder are taken as they are."""
    (judged,) = [judges(None, size, size)]
    picture = judged.pictures[0]
    folder.mkdir(parents=True, exist_ok=True)
    files, changed = ours(name, size, targets, sets, folder)
    if peers:
        files |= theirs(name, size, targets, folder)
    if not seconds:
        return
    document = played(files, picture, seconds)
    pictures = {}
    for label, path in files.items():
        with open_artifact(path) as session:
            pictures[label] = np.clip(session.floats(picture), 0, 255)
    timed = {result.artifact: result for result in document.subjects}
    rows = []
    for label in files:
        if timed[label].failure or not timed[label].rounds:
            rows.append([label, timed[label].failure or "-", "", "", "", "", ""])
            continue
        target = label.split()[0]
        peer = PEER_OF.get(target)
        plain = f"{target} {sets[0]}"
        p50 = statistics.percentile(statistics.frames(timed[label].rounds), 50)
        rows.append(
            [
                label,
                f"{p50:.1f}",
                _ratio(document, label, plain) if plain in files and label != plain else "-",
                _ratio(document, label, peer) if peer in files else "-",
                _ratio(document, label, "onnx none") if target == "tflite" and "onnx none" in files else "-",
                f"{psnr(pictures[label], pictures[next(iter(files))]):.0f}",
                changed.get(label, ""),
            ]
        )
    columns = ["file", "p50 ms", "plain / this", "peer / this", "onnx none / this", "dB", "rewrites"]
    before, after = document.environment.before.load, document.environment.after.load
    output.table(columns, rows, f"{Path(name).stem} at {size}x{size}, 2 threads, load {before} before, {after} after")


def _ratio(document: Document, label: str, other: str) -> str:
    return "{:.2f} {:.2f}-{:.2f}".format(*ratio(document, label, other))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generators", nargs="+", help="a fast-style .npz, or the name of an architecture")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=8, help="timed for each file; 0 only converts")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument(
        "--sets", default="none,default", help="none, default, all, or NAME+NAME; the first is the base"
    )
    parser.add_argument("--no-peers", action="store_true", help="only our own files")
    parser.add_argument("--folder", type=Path, help="where files are kept, and the peers' are found again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.generators:
            found = str(Path(name).resolve()) if Path(name).exists() else name
            targets, sets = asked.targets.split(","), asked.sets.split(",")
            folder = (asked.folder or Path(scratch)) / f"{Path(name).stem}-{asked.size}"
            compare(found, asked.size, targets, sets, asked.seconds, not asked.no_peers, folder)


if __name__ == "__main__":
    main()
