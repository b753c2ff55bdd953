"""The files that benchmarks compare: ours with each set of rewrites, and the peers', each converted once and kept.

Beside every file lies a note (``.json``) with its inputs and its score, or the reason why there is no file. A peer that
fails, or that takes longer than its limit, is not started again until something changes.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import notes
from benchmarks.generators import generator
from benchmarks.peers import PEERS, ROOT
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.rewrites import registry
from pocketlens.errors import PocketlensError
from pocketlens.files import key_of, remove, sha256
from pocketlens.images import Floats, Picture
from pocketlens.models.export import export
from pocketlens.models.teacher import torch_teacher
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

RIGHT = 40.0
"""Files below this PSNR to the generator, in dB, are not compared: a wrong picture has no speed."""
PEERS_OF = {"onnx": ("raw-onnx",), "openvino": ("raw-openvino",), "tflite": ("litert-torch", "onnx2tf")}
_SUFFIXES = {**PEERS, "onnx2tf": ".tflite"}


@dataclass(frozen=True)
class Conversion:
    """A converted file, or the reason why there is none.

    Attributes:
        label: ``onnx default`` and the like for ours, a peer's name for theirs.
        path: The file's path.
        target: Its target.
        key: A hash of its inputs.
        dB: PSNR to the generator.
        digest: The digest of the file.
        rewrites: The rewrites that changed the graph.
        failure: Why there is no file, or why it is not compared; empty if there is one to compare.
        limit: The time limit in seconds, where the conversion took longer.
    """

    label: str
    path: Path
    target: str
    key: str
    dB: float = 0.0  # noqa: N815 - as it is written
    digest: str = ""
    rewrites: tuple[str, ...] = ()
    failure: str = ""
    limit: float = 0.0

    def keep(self) -> "Conversion":
        """Write the note."""
        self.path.with_suffix(".json").write_text(json.dumps({**asdict(self), "path": self.path.name}))
        return self


@dataclass(frozen=True)
class Generator:
    """One generator at one size, and the folder of its files."""

    name: str
    size: int
    folder: Path

    @property
    def stem(self) -> str:
        """Its short name."""
        return Path(self.name).stem

    @property
    def picture(self) -> Picture:
        """The evaluation picture."""
        (eval_set,) = [read_eval_set(None, self.size, self.size)]
        return eval_set.pictures[0]

    def digest(self) -> str:
        """The digest of its weights, where they are a file."""
        return sha256(Path(self.name)) if Path(self.name).is_file() else self.name

    def known(self, target: str) -> list[Conversion]:
        """The conversions for a target that have notes."""
        notes = [json.loads(note.read_text()) for note in sorted(self.folder.glob("*.json"))]
        conversions = [Conversion(**{**note, "path": self.folder / note["path"]}) for note in notes if "label" in note]
        return [conversion for conversion in conversions if conversion.target == target]


def convert(net: Generator, targets: Iterable[str], sets: Iterable[str], peers: bool, limit: float) -> None:
    """Convert what is missing or out of date, and compare each file with the generator itself."""
    net.folder.mkdir(parents=True, exist_ok=True)
    key = stage_key(weights=net.digest(), size=net.size, rules=_text("benchmarks/generators.py"))
    graph, expected = net.folder / "graph.onnx", net.folder / "expected.npy"
    stamp = net.folder / "graph.key"
    if not stamp.exists() or stamp.read_text() != key:
        module, ranges = generator(net.name)
        hub.save(export(module, net.size, net.size, ranges), graph)
        np.save(expected, torch_teacher(module, ranges)(net.picture))
        stamp.write_text(key)
    teacher = np.load(expected)
    for target in targets:
        for rewrite_set in sets:
            _once(net, _ours(net, graph, target, rewrite_set, key), teacher)
        for way in PEERS_OF[target] if peers else ():
            _once(net, _theirs(net, way, target, limit), teacher)


def _once(net: Generator, work: tuple[Conversion, Callable[[Conversion], Conversion]], teacher: Floats) -> Conversion:
    """Convert unless that has been done; returns the conversion, compared with the generator."""
    planned, make = work
    kept = next((conversion for conversion in net.known(planned.target) if conversion.label == planned.label), None)
    again = kept is None or kept.key != planned.key or (kept.limit and kept.limit < planned.limit)
    if kept is not None and not again:
        return kept
    remove(planned.path)
    conversion = make(planned)
    if not conversion.failure:
        conversion = replace(conversion, digest=notes.digest(conversion.path), limit=0.0)
        try:
            with open_artifact(conversion.path) as session:
                conversion = replace(conversion, dB=psnr(teacher, np.clip(session.floats(net.picture), 0, 255)))
            if conversion.dB < RIGHT:
                conversion = replace(conversion, failure=f"wrong picture: {conversion.dB:.0f} dB")
        except PocketlensError as error:
            conversion = replace(conversion, failure=f"does not load: {_line(error.what.rsplit(': ', 1)[-1])}")
        except ValueError as error:
            conversion = replace(conversion, failure=f"wrong picture: {_line(str(error))}")
    print(f"{net.stem}: {conversion.label}: {conversion.failure or f'{conversion.dB:.0f} dB'}", flush=True)
    return conversion.keep()


def names_of(rewrite_set: str, target: str) -> tuple[str, ...]:
    """The rewrites that a set names: ``none``, ``default``, ``all``, or these with ``+`` between."""
    sets = {"none": (), "default": TARGETS[target].rewrites, "all": tuple(registry.REWRITES)}
    return registry.in_order(name for part in rewrite_set.split("+") for name in sets.get(part, (part,)))


def _ours(
    net: Generator, graph: Path, target: str, rewrite_set: str, key: str
) -> tuple[Conversion, Callable[[Conversion], Conversion]]:
    def make(planned: Conversion) -> Conversion:
        model = hub.load(graph)
        changed = registry.apply(model, names_of(rewrite_set, target))
        emitter(target).emit(model, "fp32", Labels("benchmark"), planned.path)
        return replace(planned, rewrites=changed)

    label = f"{target} {rewrite_set}"
    path = net.folder / f"{label.replace(' ', '-')}{TARGETS[target].suffix}"
    return Conversion(label, path, target, key_of(key=key, names=names_of(rewrite_set, target))), make


def _theirs(
    net: Generator, way: str, target: str, limit: float
) -> tuple[Conversion, Callable[[Conversion], Conversion]]:
    """A peer converts in its own environment."""

    def make(planned: Conversion) -> Conversion:
        failure, slow = run(_command(net, way, planned.path), limit)
        return replace(planned, failure=f"no file: {failure}" if failure else "", limit=limit if slow else 0.0)

    texts = [_text(f"benchmarks/{name}") for name in ("conversion.py", "generators.py", "peers.txt")]
    key = key_of(texts=texts, weights=net.digest(), size=net.size, way=way)
    return Conversion(way, net.folder / f"{way}{_SUFFIXES[way]}", target, key, limit=limit), make


def _command(net: Generator, way: str, path: Path) -> list[str]:
    if way == "onnx2tf":
        folder = net.folder / "onnx2tf"
        remove(folder)
        python = ROOT / ".peers-onnx2tf/bin/python"
        return [str(python), "-m", "benchmarks.onnx2tf", str(net.folder / "raw-onnx.onnx"), str(folder), str(path)]
    convert = ["-W", "ignore", "-m", "benchmarks.conversion", way, net.name, str(net.size), str(path)]
    return [str(ROOT / ".peers/bin/python"), *convert]


def run(command: list[str], limit: float) -> tuple[str, bool]:
    """Run a command with a limit in seconds; at the limit, it is killed with everything that it started.

    Returns:
        Why it failed, or an empty string; and whether the limit was the reason.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        return f"{Path(command[0]).parent.parent.name} is not installed (make bench-rewrites installs it)", False
    try:
        _, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"not done after {limit:.0f} s", True
    return (_line(errors) or f"exit code {process.returncode}" if process.returncode else ""), False


def _line(text: str) -> str:
    """The last line that names an error, cut short."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("do: ")]
    telling = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines
    return re.sub(r"/\S*/", "", telling[-1]).replace("|", "/")[:90] if telling else ""


def _text(name: str) -> str:
    return (ROOT / name).read_text()
