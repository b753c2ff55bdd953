"""Every architecture and every filter that ships, in each precision, in headless Chromium: dB and ms beside native.

    make bench-browser                                      # what is not in the table yet
    python -m benchmarks.browser_table --net cartoon --again
    python -m benchmarks.browser_table --only times         # those that are not timed yet
    python -m benchmarks.browser_table --only table         # write the page's table from what there is

A file is played on every backend by the page's own check, and scored against the teacher: the first picture and the
last, which is the blend of all styles of a pack. Then it is timed beside native LiteRT, in turns: the processor time of
all processes of a side, which others on the machine do not change. Results stay in
``benchmarks/browser.json``; the table in ``docs/figures/browser.md`` is made of them. Weights of architectures follow a
rule (``benchmarks/generators.py``). WebGPU is computed by SwiftShader: right, and too slow to be timed.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accelerators import BEGIN, END, ROOT, Net, nets
from benchmarks.browser import both_sides, compare
from benchmarks.generators import make_weights
from pocketlens import files, images, quality
from pocketlens.converters.emitter import Labels
from pocketlens.errors import PocketlensError
from pocketlens.models.source import resolve
from pocketlens.pipeline.compile import compile_sizes
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.progress import silent
from pocketlens.web import check, chromium
from pocketlens.web.folder import WebArtifact, WebFilter, WebGolden, write_folder

RESULTS = ROOT / "benchmarks/browser.json"
PAGE = ROOT / "docs/figures/browser.md"
PRECISIONS = ("fp32", "fp16", "w8", "int8")
BACKENDS = {"compat": "WebAssembly, one thread", "threads": "WebAssembly, threads", "webgpu": "WebGPU (SwiftShader)"}
THREADS = (1, 2)
LONGEST_MS = 2000.0
"""A file that takes longer for a frame is not timed beside native LiteRT."""


def measure(net: Net, precision: str, browser: chromium.Chromium, played: dict[str, Any]) -> dict[str, Any]:
    """Build one file, play it on every backend (unless that is known), and time it beside native LiteRT."""
    side = (net.side, net.side)
    try:
        source = resolve(net.source, base=Path.cwd(), architecture=net.architecture, ranges=net.ranges, size=side)
        evaluation = Evaluation.prepare(source, read_eval_set(None, *side), Labels(net.name))
        (size,) = compile_sizes([evaluation], {"tflite": (precision,)}, silent)
    except PocketlensError as error:
        return {"backends": {}, "ms": {}, "refused": error.what}
    (artifact,) = size.artifacts
    played = played or play(evaluation, artifact)
    slow = played.get("compat", {}).get("ms", 0.0) > LONGEST_MS
    return {"backends": played, "ms": {} if slow else beside_native(evaluation, artifact, browser), "refused": ""}


def play(evaluation: Evaluation, artifact: VerifiedArtifact) -> dict[str, dict[str, Any]]:
    """By backend: dB of the worst picture, whether it is whole, ms; or why it does not play."""
    pictures = evaluation.eval_set
    shown = sorted({0, len(pictures.pictures) - 1})
    with tempfile.TemporaryDirectory() as temporary:
        golden = []
        for i in shown:
            file = Path(temporary) / f"{i}.png"
            file.write_bytes(images.png(pictures.pictures[i]))
            golden.append(WebGolden(file, file, weights=tuple(pictures.styles[i]) if pictures.styles else ()))
        name = artifact.path.stem
        entry = WebArtifact(name, artifact.path, artifact.spec.precision, 0.0)
        folder = Path(temporary) / "web"
        write_folder(WebFilter(name, "", "", evaluation.size, (), [entry], [name], [name], golden, ""), folder)
        cells: dict[str, dict[str, Any]] = {}
        for kind in ("wasm", "webgpu"):
            try:
                results = check.check_folder(folder, kind)
            except PocketlensError as error:
                cells |= {b: {"refused": error.what} for b in BACKENDS if (b == "webgpu") == (kind == "webgpu")}
                continue
            for result in results:
                scores = [
                    quality.psnr(evaluation.teacher_outputs[i], np.clip(output, 0, 255))
                    for i, output in zip(shown, result.outputs, strict=bool(result.outputs))
                ]
                cells[result.backend] = (
                    {"psnr": round(min(scores), 1), "whole": result.whole, "ms": round(result.ms, 1)}
                    if scores
                    else {"refused": result.refused}
                )
    return cells


def beside_native(evaluation: Evaluation, artifact: VerifiedArtifact, browser: chromium.Chromium) -> dict[str, Any]:
    """By number of threads: processor time in ms of a frame, natively and in the browser, and the ratios of blocks."""
    table = {}
    for threads in THREADS:
        with both_sides(browser) as sides:
            compare(artifact.path, evaluation.eval_set.pictures[0], sides, threads)
        native, page = sides
        pairs = zip(native.processor_ms, page.processor_ms, strict=True)
        table[str(threads)] = {
            "native": round(statistics.median(native.processor_ms), 2),
            "browser": round(statistics.median(page.processor_ms), 2),
            "ratios": sorted(round(browser_ms / native_ms, 2) for native_ms, browser_ms in pairs if native_ms),
        }
    return table


def read() -> dict[str, dict[str, Any]]:
    """``net size precision`` → what was measured."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def _cell(entry: dict[str, Any]) -> str:
    if not entry:
        return "-"
    if entry.get("refused"):
        return f"refused: {entry['refused'].splitlines()[0]}"
    return f"{entry['psnr']:.1f}{'' if entry['whole'] else ', not whole'}"


def _times(entry: dict[str, Any]) -> str:
    if not entry.get("ratios"):
        return "-"
    ratios = entry["ratios"]
    spread = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    return f"{entry['browser']:.3g} / {entry['native']:.3g}, {spread}"


def table(results: dict[str, dict[str, Any]]) -> str:
    """The page's table: a row for each file."""
    titles = (*(f"{title}: dB" for title in BACKENDS.values()), "ms a frame, one thread", "ms a frame, two threads")
    lines = ["| network | size | file | " + " | ".join(titles) + " |", "|" + "---|" * (3 + len(titles))]
    for key, entry in results.items():
        cells = [_cell(entry["backends"].get(backend, {})) for backend in BACKENDS]
        cells += [_times(entry["ms"].get(str(threads), {})) for threads in THREADS]
        if entry["refused"]:
            cells[0] = f"no file: {entry['refused'].splitlines()[0]}"
        lines.append(f"| {' | '.join((*key.split(' '), *cells))} |")
    return "\n".join(lines) + "\n"


def chosen(arguments: argparse.Namespace) -> Iterable[tuple[str, Net, str, dict[str, Any]]]:
    """What is to be measured: the key, the net, the precision, and what is known of its pictures."""
    make_weights(arguments.weights)
    for net in nets(arguments.weights, arguments.shared):
        for precision in arguments.precision or PRECISIONS:
            key = f"{net.name} {net.side}x{net.side} {precision}"
            if arguments.net and net.name not in arguments.net:
                continue
            known = read().get(key)
            if arguments.only == "times" and known is not None and not known["refused"]:
                if arguments.again or not all("ratios" in known["ms"].get(str(threads), {}) for threads in THREADS):
                    yield key, net, precision, known["backends"]
            elif arguments.only is None and (arguments.again or known is None):
                yield key, net, precision, {}


def main() -> None:
    """Measure what is asked for, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", action="append", help="only these, by name")
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help="only these")
    parser.add_argument("--weights", type=Path, default=ROOT / "build/weights")
    parser.add_argument("--shared", type=Path, default=ROOT / "../shared/data/fast_style")
    parser.add_argument("--again", action="store_true", help="measure what is in the table as well")
    parser.add_argument("--only", choices=["table", "times"])
    arguments = parser.parse_args()
    for key, net, precision, played in chosen(arguments) if arguments.only != "table" else ():
        with chromium.start() as browser:
            result = measure(net, precision, browser, played)
        print(key, result, flush=True)
        files.write(RESULTS, json.dumps({**read(), key: result}, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    files.write(PAGE, before + BEGIN + table(read()) + END + after)


if __name__ == "__main__":
    main()
