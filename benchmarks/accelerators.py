"""Every accelerator whose engine runs here: whole or not, dB against the teacher, processor seconds of the check.

    make bench-accelerators                                     # all accelerators, what is not in the table yet
    python -m benchmarks.accelerators --accelerator litert-gpu --precision fp16 --again
    python -m benchmarks.accelerators --only table              # write the page's table from what there is

Results stay in ``benchmarks/accelerators.json``, since no machine need have every engine; the table in
``docs/figures/accelerators.md`` is made of them. Pictures are those that ship; the score is that of the worst.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.generators import make_weights
from pocketlens import accelerators, files
from pocketlens.accelerators import Request
from pocketlens.chips import ANY_CHIP, ChipChoice
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.converters.qnn.compiler import compile_context
from pocketlens.converters.qnn.context_file import write_context_file
from pocketlens.converters.qnn.exact_activations import keep_activations_exact
from pocketlens.converters.verify import score
from pocketlens.errors import PocketlensError
from pocketlens.images import Floats
from pocketlens.models.source import RangeOverrides, resolve
from pocketlens.pipeline.compile import base_graph, compile_sizes
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.placement import ACCELERATORS, Accelerator
from pocketlens.progress import silent
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_suffix(".json")
PAGE = ROOT / "docs/figures/accelerators.md"
BEGIN, END = "<!-- measured: accelerators -->\n", "<!-- end -->\n"
PRECISIONS = ("fp32", "fp16", "w8", "int8", "int8-a16")
"""Those whose columns the page shows, where an accelerator's target has them."""
_RANGES: dict[str, RangeOverrides] = {"transformer-net": ((0.0, 255.0), (0.0, 255.0))}
"""By rule, its weights make nearly black pictures, which are refused unless somebody says that the ranges are right."""
CHIP = "sm8650"
"""The chip that files are compiled for, where a target has chips."""


@dataclass(frozen=True)
class Net:
    """A generator of the table: its source, architecture, the side of its pictures, and its ranges if they are said."""

    name: str
    source: str
    architecture: str
    side: int
    ranges: RangeOverrides = (None, None)


def nets(weights: Path, shared: Path) -> list[Net]:
    """The generators that ship, two trained ones, and every other architecture; absent files are left out."""
    sides = {"pix2pix-unet": 256, "pocket": 128}
    trained = [Net(name, str(shared / f"{name}.npz"), "fast-style", 64) for name in ("wave", "la_muse")]
    architectures = [
        Net(name, str(path), name, sides.get(name, 64), _RANGES.get(name, (None, None)))
        for name, path in ((path.stem, path) for path in sorted(weights.glob("*.safetensors")))
    ]
    builtin = [Net(name, f"builtin:{name}", "", 128) for name in ("cartoon", "starry", "atelier")]
    return [*builtin, *(net for net in trained if Path(net.source).exists()), *architectures]


def measure(net: Net, accelerator: Accelerator, precision: str) -> dict[str, Any]:
    """Build one file and ask one accelerator about it."""
    side = (net.side, net.side)
    target = accelerator.targets[0]
    try:
        source = resolve(net.source, base=Path.cwd(), architecture=net.architecture, ranges=net.ranges, size=side)
        evaluation = Evaluation.prepare(source, read_eval_set(None, *side), Labels(net.name))
        chips = ChipChoice((CHIP,)) if TARGETS[target].chips else ANY_CHIP
        (size,) = compile_sizes([evaluation], {target: (precision,)}, silent, chips=chips)
    except PocketlensError as error:
        return {"text": "-", "reason": error.what}
    artifact = size.artifacts[0]
    worst, pictures = _worst_index(evaluation, artifact), evaluation.eval_set
    style = tuple(pictures.styles[worst]) if pictures.styles else None
    floors = artifact.spec.floors
    request = Request(artifact.path, pictures.pictures[worst], style)
    expected = evaluation.teacher_outputs[worst]
    before = _processor_seconds()
    placement = accelerators.place(accelerator.name, request, expected, floors.teacher or floors.file)
    seconds = _processor_seconds() - before
    exact = _before_bytes(evaluation, artifact, request) if TARGETS[target].dtype == "uint8" else None
    return {
        "text": placement.text,
        "reason": placement.reason,
        "engine": placement.engine,
        "processor_seconds": round(seconds, 2),
        **({"before_bytes": round(psnr(expected, exact), 1)} if exact is not None else {}),
    }


def _processor_seconds() -> float:
    """What this process and those that it has started have computed; neighbours on a machine do not change it."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(process.cpu_times()[:4]) for process in processes)


def _before_bytes(evaluation: Evaluation, artifact: VerifiedArtifact, request: Request) -> Floats | None:
    """The picture of a float artifact for a chip before it is rounded to bytes; None of a quantized one."""
    if artifact.spec.arithmetic.is_low_bit:
        return None
    graph = decompose_long_norms(hub.load(base_graph(evaluation, [artifact.spec]).path))
    keep_activations_exact(graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "floats.onnx"
        hub.save(graph, path)
        chip = artifact.spec.format.chip(artifact.spec.chip)
        file = Path(folder) / "played.onnx"
        write_context_file(compile_context(path, chip.soc_model), file, artifact.spec.precision, Labels("floats"), chip)
        with open_artifact(file, "qnn", exact=True) as session:
            assert request.picture is not None
            return np.clip(session.floats(request.picture, style=request.style), 0, 255)


def _worst_index(evaluation: Evaluation, artifact: VerifiedArtifact) -> int:
    """The picture that the artifact loses most on; where its verification played some only, all are played."""
    verification, pictures = artifact.verification, evaluation.eval_set
    if len(verification.played) == len(pictures.pictures):
        return verification.worst_index
    styles: Sequence[Sequence[float] | None] = pictures.styles or [None] * len(pictures.pictures)
    with open_artifact(artifact.path, exact=True) as session:
        outputs = [session.floats(p, style=style) for p, style in zip(pictures.pictures, styles, strict=True)]
    return score(outputs, evaluation.teacher_outputs)[2]


def read() -> dict[str, dict[str, Any]]:
    """``net size accelerator precision`` → what was measured."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def table(results: dict[str, dict[str, Any]]) -> str:
    """The page's table: a row for each net, a column for each accelerator and precision."""
    keys = [tuple(key.split(" ")) for key in results]
    rows = list(dict.fromkeys(key[:2] for key in keys))
    order = {name: i for i, name in enumerate(PRECISIONS)}
    columns = sorted(
        {key[2:] for key in keys}, key=lambda c: (list(ACCELERATORS).index(c[0]), order.get(c[1], len(order)))
    )
    lines = [
        "| network | size | " + " | ".join(f"{accelerator} {precision}" for accelerator, precision in columns) + " |",
        "|" + "---|" * (2 + len(columns)),
    ]
    for row in rows:
        cells = (results.get(" ".join((*row, *column))) for column in columns)
        lines.append(f"| {row[0]} | {row[1]} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def _cell(measured: dict[str, Any] | None) -> str:
    if not measured:
        return "-"
    exact = f" ({measured['before_bytes']} before bytes)" if "before_bytes" in measured else ""
    seconds = f", {measured['processor_seconds']:.1f} s" if "processor_seconds" in measured else ""
    return f"{measured['text']}{exact}{seconds}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accelerator", action="append", choices=[n for n, a in ACCELERATORS.items() if a.executes])
    parser.add_argument("--net", action="append", help="only these, by name")
    parser.add_argument("--precision", action="append", choices=PRECISIONS)
    parser.add_argument(
        "--weights",
        type=Path,
        default=ROOT / "build/weights",
        help="NAME.safetensors of architectures; those that follow the rule are made",
    )
    parser.add_argument("--shared", type=Path, default=ROOT / "../shared/data/fast_style")
    parser.add_argument("--again", action="store_true", help="measure what is in the table as well")
    parser.add_argument("--only", choices=["table"])
    arguments = parser.parse_args()
    results = read()
    if arguments.only is None:
        make_weights(arguments.weights)
    asked = [a for n, a in ACCELERATORS.items() if a.executes and n in (arguments.accelerator or ACCELERATORS)]
    for accelerator in asked if arguments.only is None else ():
        if missing := accelerators.engine(accelerator.name).missing():
            print(f"{accelerator.title}: {missing}")
            continue
        names = TARGETS[accelerator.targets[0]].precision_names
        for net in nets(arguments.weights, arguments.shared):
            for precision in (p for p in arguments.precision or PRECISIONS if p in names):
                key = f"{net.name} {net.side}x{net.side} {accelerator.name} {precision}"
                if (arguments.net and net.name not in arguments.net) or (key in results and not arguments.again):
                    continue
                results[key] = measure(net, accelerator, precision)
                print(key, results[key], flush=True)
                merged = {**read(), key: results[key]}
                files.write(RESULTS, json.dumps(merged, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    files.write(PAGE, before + BEGIN + table(read()) + END + after)


if __name__ == "__main__":
    main()
