"""The files that benchmarks compare: ours with each set of rewrites, and the peers', each converted once and kept.

Beside every file lies a note (``.json``) of what it was made from and how right it is, or why there is none: a peer that fails,
or that takes longer than it is given, is not asked again until something changes.
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
"""Least PSNR to the generator, in dB, of a file that is compared: a wrong picture has no speed."""
PEERS_OF = {"onnx": ("raw-onnx",), "openvino": ("raw-openvino",), "tflite": ("litert-torch", "onnx2tf")}
_SUFFIXES = {**PEERS, "onnx2tf": ".tflite"}


@dataclass(frozen=True)
class Made:
    """A file, or why there is none.

    Attributes:
        label: ``onnx default`` and the like for ours, a peer's name for theirs.
        path: Where it is.
        target: Its target.
        key: What it was made from.
        dB: PSNR to the generator.
        digest: Of what was written.
        rewrites: Those that changed something.
        failure: Why there is no file, or why it is not compared; empty if all is well.
        limit: How many seconds it was given, where that was the reason.
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

    def keep(self) -> "Made":
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
        """That it is judged by."""
        (judged,) = [read_eval_set(None, self.size, self.size)]
        return judged.pictures[0]

    def digest(self) -> str:
        """Of its weights, where they are a file."""
        return sha256(Path(self.name)) if Path(self.name).is_file() else self.name

    def known(self, target: str) -> list[Made]:
        """What there is for a target already."""
        notes = [json.loads(note.read_text()) for note in sorted(self.folder.glob("*.json"))]
        found = [Made(**{**note, "path": self.folder / note["path"]}) for note in notes if "label" in note]
        return [one for one in found if one.target == target]


def convert(of: Generator, targets: Iterable[str], sets: Iterable[str], peers: bool, limit: float) -> None:
    """Make what is missing or out of date; files are judged by the generator itself."""
    of.folder.mkdir(parents=True, exist_ok=True)
    key = stage_key(weights=of.digest(), size=of.size, rules=_text("benchmarks/generators.py"))
    graph, expected = of.folder / "graph.onnx", of.folder / "expected.npy"
    stamp = of.folder / "graph.key"
    if not stamp.exists() or stamp.read_text() != key:
        module, ranges = generator(of.name)
        hub.save(export(module, of.size, of.size, ranges), graph)
        np.save(expected, torch_teacher(module, ranges)(of.picture))
        stamp.write_text(key)
    teacher = np.load(expected)
    for target in targets:
        for chosen in sets:
            _once(of, _ours(of, graph, target, chosen, key), teacher)
        for way in PEERS_OF[target] if peers else ():
            _once(of, _theirs(of, way, target, limit), teacher)


def _once(of: Generator, work: tuple[Made, Callable[[Made], Made]], teacher: Floats) -> Made:
    """Do the work unless it has been done; the file, compared with the generator."""
    wanted, make = work
    found = next((one for one in of.known(wanted.target) if one.label == wanted.label), None)
    again = found is None or found.key != wanted.key or (found.limit and found.limit < wanted.limit)
    if found is not None and not again:
        return found
    remove(wanted.path)
    made = make(wanted)
    if not made.failure:
        made = replace(made, digest=notes.digest(made.path), limit=0.0)
        try:
            with open_artifact(made.path) as session:
                made = replace(made, dB=psnr(teacher, np.clip(session.floats(of.picture), 0, 255)))
            if made.dB < RIGHT:
                made = replace(made, failure=f"wrong picture: {made.dB:.0f} dB")
        except PocketlensError as error:
            made = replace(made, failure=f"does not load: {_line(error.what.rsplit(': ', 1)[-1])}")
        except ValueError as error:
            made = replace(made, failure=f"wrong picture: {_line(str(error))}")
    print(f"{of.stem}: {made.label}: {made.failure or f'{made.dB:.0f} dB'}", flush=True)
    return made.keep()


def names_of(chosen: str, target: str) -> tuple[str, ...]:
    """The rewrites that a set names: ``none``, ``default``, ``all``, or these with ``+`` between."""
    sets = {"none": (), "default": TARGETS[target].rewrites, "all": tuple(registry.REWRITES)}
    return registry.ordered(name for part in chosen.split("+") for name in sets.get(part, (part,)))


def _ours(of: Generator, graph: Path, target: str, chosen: str, key: str) -> tuple[Made, Callable[[Made], Made]]:
    def make(wanted: Made) -> Made:
        model = hub.load(graph)
        changed = registry.apply(model, names_of(chosen, target))
        emitter(target).emit(model, "fp32", Labels("benchmark"), wanted.path)
        return replace(wanted, rewrites=changed)

    label = f"{target} {chosen}"
    path = of.folder / f"{label.replace(' ', '-')}{TARGETS[target].suffix}"
    return Made(label, path, target, key_of(key=key, names=names_of(chosen, target))), make


def _theirs(of: Generator, way: str, target: str, limit: float) -> tuple[Made, Callable[[Made], Made]]:
    """A peer converts in its own environment."""

    def make(wanted: Made) -> Made:
        failure, slow = run(_command(of, way, wanted.path), limit)
        return replace(wanted, failure=f"no file: {failure}" if failure else "", limit=limit if slow else 0.0)

    texts = [_text(f"benchmarks/{name}") for name in ("conversion.py", "generators.py", "peers.txt")]
    key = key_of(texts=texts, weights=of.digest(), size=of.size, way=way)
    return Made(way, of.folder / f"{way}{_SUFFIXES[way]}", target, key, limit=limit), make


def _command(of: Generator, way: str, path: Path) -> list[str]:
    if way == "onnx2tf":
        folder = of.folder / "onnx2tf"
        remove(folder)
        python = ROOT / ".peers-onnx2tf/bin/python"
        return [str(python), "-m", "benchmarks.onnx2tf", str(of.folder / "raw-onnx.onnx"), str(folder), str(path)]
    convert = ["-W", "ignore", "-m", "benchmarks.conversion", way, of.name, str(of.size), str(path)]
    return [str(ROOT / ".peers/bin/python"), *convert]


def run(command: list[str], limit: float) -> tuple[str, bool]:
    """Run a command and everything that it starts for so many seconds at most.

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
        _, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"not done after {limit:.0f} s", True
    return (_line(said) or f"exit code {process.returncode}" if process.returncode else ""), False


def _line(text: str) -> str:
    """The last line that says something, cut short."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("do: ")]
    said = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines
    return re.sub(r"/\S*/", "", said[-1]).replace("|", "/")[:90] if said else ""


def _text(name: str) -> str:
    return (ROOT / name).read_text()
