"""What the rewrites gain: each target's file with and without its default rewrites, beside what other tools make of the same generator.

    make bench-rewrites                                             # everything: convert, time, print
    make bench-rewrites ARCHITECTURES=animegan2                     # of one architecture
    python -m benchmarks.rewrites animegan2 --only convert          # nothing is timed
    python -m benchmarks.rewrites animegan2 --only time             # time what is not timed yet
    python -m benchmarks.rewrites --only table                      # print what there is

The table is printed as docs/figures/rewrites.md has it: ten columns are too many for a terminal's.

All files of a generator take turns in one run, two threads each, each loaded in two processes of its own. A ratio is the median over
pairs of neighbouring rounds and of processes, with the 95 % interval (docs/decisions/0007). What is done is kept in ``--folder``:
a file is made again when what it is made from changes, and a generator is timed again when one of its files is another.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.files import PEERS_OF, Generator, Made, convert
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


def time(of: Generator, targets: Sequence[str], wanted: Sequence[str], seconds: float, processes: int) -> None:
    """Time all files of a generator in turn, unless these very files have been."""
    found = [one for target in targets for one in of.known(target) if not one.failure and _asked(one, wanted)]
    files = list({one.digest: one for one in reversed(found)}.values())[::-1]  # one file may be that of several sets
    key, stamp = _key(files), of.folder / "measured.key"
    if not files or (stamp.exists() and stamp.read_text() == key):
        return
    picture = of.picture
    subjects = [
        BenchmarkCase(
            f"{one.label}{_AGAIN * n}", one.path, one.target, "fp32", runtime_for(one.path).name, picture, threads=2
        )
        for n in range(processes)
        for one in files
    ]
    settings = BenchmarkSettings(seconds=seconds, count=9, max_seconds=10 * seconds, block_seconds=0.2, block_count=2)
    document = measure(subjects, settings)
    document.write(of.folder / "measured.json")
    write(stamp, key)


def _asked(one: Made, wanted: Sequence[str]) -> bool:
    """Whether it is a peer's file or that of a set that was asked for."""
    return one.label in {peer for peers in PEERS_OF.values() for peer in peers} or one.label.split()[1] in wanted


def _key(files: Sequence[Made]) -> str:
    return key_of(files={one.label: one.digest for one in files})


def rows(of: Generator, targets: Sequence[str], sets: Sequence[str]) -> Iterator[list[str]]:
    """A row for each set of a target, against the plain file and against every peer."""
    results = _results(of)
    for target in targets:
        known = {one.label: one for one in of.known(target)}
        plain = f"{target} {sets[0]}"
        for chosen in sets[1:] or sets:
            label = f"{target} {chosen}"
            if label not in known or plain not in known:
                continue
            made = known[label]
            against = _against(results, known[plain].digest, made.digest)
            changed = ", ".join(made.rewrites) or "none changes it"
            head = [of.stem, label, *_times(against), f"{made.dB:.0f}", changed]
            for peer in _beside(of, target, known):
                found = [peer.label, *_times(_against(results, peer.digest, made.digest))[::2]]
                yield [*head, *([peer.label, "-", peer.failure] if peer.failure else found)]
                head = [""] * len(head)


def _beside(of: Generator, target: str, known: dict[str, Made]) -> Iterator[Made]:
    """The peers' files; and onnxruntime's beside LiteRT's, which was once far behind it."""
    yield from (known[peer] for peer in PEERS_OF[target] if peer in known)
    if target == "tflite":
        yield from (one for one in of.known("onnx") if one.label == "onnx default")


def _results(of: Generator) -> dict[str, list[CaseResult]]:
    """What was measured of each file, by its digest."""
    path, found = of.folder / "measured.json", dict[str, list[CaseResult]]()
    digests = {one.label: one.digest for target in TARGETS for one in of.known(target)}
    for result in Document.read(path).results if path.exists() else ():
        found.setdefault(digests.get(result.artifact.id.rstrip(_AGAIN), ""), []).append(result)
    return found


def _against(results: dict[str, list[CaseResult]], before: str, after: str) -> RewriteTrial | None:
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
    asked = parser.parse_args()
    targets, sets = asked.targets.split(","), asked.sets.split(",")
    found: list[list[str]] = []
    for given in asked.generators:
        name = str(Path(given).resolve()) if Path(given).exists() else given
        if Path(name).suffix and not Path(name).exists():
            print(f"{name} is not here, left out")
            continue
        of = Generator(name, asked.size, asked.folder / f"{Path(name).stem}-{asked.size}")
        try:
            if asked.only in (None, "convert"):
                convert(of, targets, sets, not asked.no_peers, asked.limit)
            if asked.only in (None, "time"):
                time(of, targets, sets, asked.seconds, asked.processes)
        except PocketlensError as error:
            raise SystemExit(str(error)) from error
        found += rows(of, targets, sets)
    print("\n".join("| " + " | ".join(line) + " |" for line in (COLUMNS, ["---"] * len(COLUMNS), *found)))


if __name__ == "__main__":
    main()
