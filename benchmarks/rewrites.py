"""How much faster rewrites are: each target's file with and without its default rewrites, beside other tools' files of
the same generator.

    make bench-rewrites                                             # everything: convert, time, print
    make bench-rewrites ARCHITECTURES=animegan2                     # of one architecture
    python -m benchmarks.rewrites animegan2 --only convert          # nothing is timed
    python -m benchmarks.rewrites animegan2 --only time             # time what is not timed yet
    python -m benchmarks.rewrites --only table                      # print what there is

The table is printed in the form of docs/figures/rewrites.md: ten columns are too many for a terminal.

All files of a generator take turns in one run, with two threads each. Each file is loaded in two processes of its own.
A ratio is the median over pairs of neighbouring blocks and over processes, with the 95 % interval
(docs/decisions/0007). Files and times are kept in ``--folder``: a file is made again when its inputs change, and a
generator is timed again when one of its files changes.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.files import PEERS_OF, Conversion, Generator, convert
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from pocketlens.bench.result import CaseResult
from pocketlens.errors import PocketlensError
from pocketlens.files import key_of, write
from pocketlens.pipeline.search.rewrite_trials import RewriteTrial, compare
from pocketlens.runtimes.adapter import runtime_for

TARGETS = ("onnx", "openvino", "tflite")
GENERATORS = (
    "../shared/data/fast_style/wave.npz", "animegan2", "pix2pix-unet", "transformer-net", "cyclegan-resnet", "pocket",
)  # fmt: skip
_AGAIN = "'"


def time_files(net: Generator, targets: Sequence[str], sets: Sequence[str], seconds: float, processes: int) -> None:
    """Time all files of a generator in turn, unless these very files have been."""
    conversions = [
        conversion
        for target in targets
        for conversion in net.known(target)
        if not conversion.failure and _is_requested(conversion, sets)
    ]
    files = list({conversion.digest: conversion for conversion in reversed(conversions)}.values())[
        ::-1
    ]  # one file may be that of several sets
    key, stamp = _key(files), net.folder / "measured.key"
    if not files or (stamp.exists() and stamp.read_text() == key):
        return
    picture = net.picture
    cases = [
        BenchmarkCase(
            f"{conversion.label}{_AGAIN * n}",
            conversion.path,
            conversion.target,
            "fp32",
            runtime_for(conversion.path).name,
            picture,
            threads=2,
        )
        for n in range(processes)
        for conversion in files
    ]
    settings = BenchmarkSettings(seconds=seconds, count=9, max_seconds=10 * seconds, block_seconds=0.2, block_count=2)
    document = measure(cases, settings)
    document.write(net.folder / "measured.json")
    write(stamp, key)


def _is_requested(conversion: Conversion, sets: Sequence[str]) -> bool:
    """Whether it is a peer's file or that of a set that was asked for."""
    return (
        conversion.label in {peer for peers in PEERS_OF.values() for peer in peers}
        or conversion.label.split()[1] in sets
    )


def _key(files: Sequence[Conversion]) -> str:
    return key_of(files={conversion.label: conversion.digest for conversion in files})


def rows(net: Generator, targets: Sequence[str], sets: Sequence[str]) -> Iterator[list[str]]:
    """A row for each set of a target, against the plain file and against every peer."""
    results = _results(net)
    for target in targets:
        conversions = {conversion.label: conversion for conversion in net.known(target)}
        plain = f"{target} {sets[0]}"
        for rewrite_set in sets[1:] or sets:
            label = f"{target} {rewrite_set}"
            if label not in conversions or plain not in conversions:
                continue
            conversion = conversions[label]
            against = _trial(results, conversions[plain].digest, conversion.digest)
            changed = ", ".join(conversion.rewrites) or "none changes it"
            head = [net.stem, label, *_times(against), f"{conversion.dB:.0f}", changed]
            for peer in _peers(net, target, conversions):
                cells = [peer.label, *_times(_trial(results, peer.digest, conversion.digest))[::2]]
                yield [*head, *([peer.label, "-", peer.failure] if peer.failure else cells)]
                head = [""] * len(head)


def _peers(net: Generator, target: str, conversions: dict[str, Conversion]) -> Iterator[Conversion]:
    """The peers' files; and onnxruntime's beside LiteRT's, which was once far behind it."""
    yield from (conversions[peer] for peer in PEERS_OF[target] if peer in conversions)
    if target == "tflite":
        yield from (conversion for conversion in net.known("onnx") if conversion.label == "onnx default")


def _results(net: Generator) -> dict[str, list[CaseResult]]:
    """What was measured of each file, by its digest."""
    path, results = net.folder / "measured.json", dict[str, list[CaseResult]]()
    digests = {conversion.label: conversion.digest for target in TARGETS for conversion in net.known(target)}
    for result in Document.read(path).results if path.exists() else ():
        results.setdefault(digests.get(result.artifact.id.rstrip(_AGAIN), ""), []).append(result)
    return results


def _trial(results: dict[str, list[CaseResult]], before: str, after: str) -> RewriteTrial | None:
    if before not in results or after not in results:
        return None
    if before == after:
        return RewriteTrial("", "", (), note="the same file")
    return compare("", "", (), results[before], results[after])


def _times(trial: RewriteTrial | None) -> list[str]:
    """Before and after in ms, and how many times faster."""
    if trial is None or trial.ratio is None:
        return ["-", "-", trial.note if trial is not None else "not timed"]
    times = [f"{ms:.1f}" for ms in (trial.before_ms, trial.after_ms)]
    return [*times, f"{trial.ratio:.2f} ({trial.low:.2f}-{trial.high:.2f})"]


COLUMNS = (
    "generator", "file", "without, ms", "with", "times faster (95 %)", "dB", "rewrites", "beside", "its ms",
    "times faster than it",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="*", default=list(GENERATORS), help="a fast-style .npz, or an architecture")
    parser.add_argument("--only", choices=("convert", "time", "table"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3, help="timed for each file in each process")
    parser.add_argument("--processes", type=int, default=2, help="how often each file is loaded")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument(
        "--sets", default="none,default", help="none, default, all, or NAME+NAME; the first is the base"
    )
    parser.add_argument("--no-peers", action="store_true", help="only our own files")
    parser.add_argument("--limit", type=float, default=600, help="seconds that a peer is given for a file")
    parser.add_argument("--folder", type=Path, default=Path("build/rewrites"))
    args = parser.parse_args()
    targets, sets = args.targets.split(","), args.sets.split(",")
    lines: list[list[str]] = []
    for argument in args.generators:
        name = str(Path(argument).resolve()) if Path(argument).exists() else argument
        if Path(name).suffix and not Path(name).exists():
            print(f"{name} is not here, left out")
            continue
        net = Generator(name, args.size, args.folder / f"{Path(name).stem}-{args.size}")
        try:
            if args.only in (None, "convert"):
                convert(net, targets, sets, not args.no_peers, args.limit)
            if args.only in (None, "time"):
                time_files(net, targets, sets, args.seconds, args.processes)
        except PocketlensError as error:
            raise SystemExit(str(error)) from error
        lines += rows(net, targets, sets)
    print("\n".join("| " + " | ".join(line) + " |" for line in (COLUMNS, ["---"] * len(COLUMNS), *lines)))


if __name__ == "__main__":
    main()
