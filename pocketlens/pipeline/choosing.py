"""Which rewrites are faster on a device: each is tried on every target at once, in turns, and kept where it wins."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pocketlens.bench.case import INTERPRETED, BenchmarkCase
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings, CaseResult, Document
from pocketlens.bench.measure import measure
from pocketlens.converters.emitter import Labels
from pocketlens.converters.rewrites import registry
from pocketlens.errors import PocketlensError
from pocketlens.files import cached, is_cached, key_of, sha256
from pocketlens.images import Floats, to_uint8
from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.quantizing import is_coded, start_for, workshop
from pocketlens.pipeline.trials import Chosen, Trial, judge, parse
from pocketlens.recipe import Quantize
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS

SETTINGS = BenchmarkSettings(
    seconds=0.6, count=12, most_seconds=30.0, block_seconds=0.1, block_count=2, warm_seconds=1.5, least_rounds=6
)
"""Many short turns: it is the pairs of neighbouring rounds that are compared."""
_AGAIN = "'"
PROCESSES = 2
"""How often each file is loaded anew. OpenVINO's time of one and the same small file differed by a third from one process
to the next, while the rounds within each agreed to a hundredth: one process alone would have decided by chance."""


DEFAULTS = "the default set"
EVERYTHING = "everything kept"
"""What the last lines of a table compare: the target's defaults with what was kept, and that with no rewrite at all."""


@dataclass(frozen=True)
class Timing:
    """How candidates are timed.

    Attributes:
        device: Where; None for the machine that this runs on.
        threads: Of the runtimes.
        settings: How long.
    """

    device: Device | None = None
    threads: int = 2
    settings: BenchmarkSettings = field(default_factory=lambda: SETTINGS)


@dataclass(frozen=True)
class Candidates:
    """What rewrites are tried on: the graph of a generator at one size, and what its artifacts are judged by.

    ``quantize`` says how precisions in fewer bits are made.
    """

    source: Source
    graph: Path
    labels: Labels
    judges: Judges
    teachers: Sequence[Floats]
    quantize: Quantize = field(default_factory=Quantize)

    def emitted(self, target: str, precision: str, names: Sequence[str]) -> stages.Emitted:
        """The verified artifact with some rewrites.

        Raises:
            PocketlensError: The target cannot express it, or the file does not compute what the teacher computes.
        """
        graph = stages.rewritten(self.graph, registry.fitting(names, precision), self.judges, self.teachers)
        if is_coded(precision):
            # Rewrites are timed here; which settings help the picture is another matter.
            plan = start_for(self.quantize, target, precision, graph)
            shop = workshop(self.source, self.graph, graph, target, precision, self.quantize, self.judges, plan)
            graph = shop.made(shop.start)
        key = stages.artifact_key(graph.path, target, precision, self.labels, self.judges, self.source)
        return stages.emit(graph, target, precision, self.labels, self.judges, self.teachers, key)


@dataclass
class _Search:
    """A target while rewrites are tried on it, greedily and in order.

    Attributes:
        runtime: That plays it there.
        kept: The best set so far.
        waiting: Rewrites that changed the graph but were not faster by themselves: a later one may need them.
    """

    target: str
    precision: str
    runtime: str
    kept: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    trials: list[Trial] = field(default_factory=list)
    emitted: dict[tuple[str, ...], stages.Emitted] = field(default_factory=dict)


def choose(
    of: Candidates,
    targets: Mapping[str, Sequence[str]],
    timing: Timing,
    notify: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Chosen]:
    """Try every rewrite on every target and keep those that are faster beyond the spread.

    Rewrites are tried in the order in which they run, each on top of those that were kept, and once more together with
    those before it that changed something but won nothing: packing may only pay once what follows stays packed. Every file
    that is timed has been verified. A choice is kept in the cache with all that it depends on: the graph, the code, the
    libraries, the device.

    Args:
        of: What to try them on.
        targets: Target → precisions; the first of ``fp32`` and what else was asked for is timed.
        timing: How.
        notify: Told about progress.

    Returns:
        Target → what was chosen. A target that cannot be timed there takes its defaults.
    """
    device = timing.device or Local()
    played = {target: _runtime_on(device, target) for target in targets}
    host = (
        stages.machine() if timing.device is None else _host(device, [name for name, why in played.values() if not why])
    )
    keys = {
        target: key_of(
            graph=sha256(of.graph), target=target, precision=_precision(asked), rewrites=list(registry.REWRITES),
            code=stages.code(), tools=stages.toolchain(), device=device.name, host=host, threads=timing.threads,
            settings=asdict(timing.settings), judges=of.judges.digest(), quantize=of.quantize.model_dump(mode="json"),
        )
        for target, asked in targets.items()
    }  # fmt: skip
    found = {t: parse(_stored(key).read_text()) for t, key in keys.items() if is_cached("choice", key)}
    missing = {t: _precision(asked) for t, asked in targets.items() if t not in found}
    for chosen in _search(of, missing, played, timing, device, notify) if missing else ():
        found[chosen.target] = chosen
        if not chosen.disturbed and chosen.device:
            cached("choice", keys[chosen.target], partial(_write, chosen))
    return {target: found[target] for target in targets}


def _runtime_on(device: Device, target: str) -> tuple[str, str]:
    """The runtime that plays a target there, and why it cannot be timed, or an empty string."""
    able = [one.name for one in RUNTIMES.values() if TARGETS[target].suffix in one.suffixes]
    reasons = {name: device.missing(name) for name in able}
    usable = [name for name, reason in reasons.items() if not reason]
    if not usable:
        return "", "; ".join(dict.fromkeys(reasons.values()))
    interpreted = usable[0] in INTERPRETED
    return usable[0], f"{usable[0]} shows what an artifact computes, not how fast" if interpreted else ""


def _host(device: Device, runtimes: Sequence[str]) -> dict[str, Any]:
    """What another device is; asked once it has what it takes to answer."""
    try:
        device.prepare(sorted(set(runtimes)))
        return asdict(device.host())
    finally:
        device.close()


def _stored(key: str) -> Path:
    return cached("choice", key, lambda folder: None) / "choice.json"


def _write(chosen: Chosen, folder: Path) -> None:
    (folder / "choice.json").write_text(chosen.to_json())


def _precision(asked: Sequence[str]) -> str:
    return "fp32" if "fp32" in asked else asked[0]


def _search(
    of: Candidates,
    targets: Mapping[str, str],
    played: Mapping[str, tuple[str, str]],
    timing: Timing,
    device: Device,
    notify: Callable[[str, int, int], None],
) -> list[Chosen]:
    done: dict[str, Chosen] = {}
    searches = []
    for target, precision in targets.items():
        runtime, why = played[target]
        if why:
            names = TARGETS[target].rewrites
            done[target] = Chosen(target, names, trials=(Trial(target, "+".join(names), names, note=why),))
        else:
            searches.append(_Search(target, precision, runtime))
    runs = len(registry.REWRITES) + 1
    documents: list[Document] = []
    for step, rewrite in enumerate(registry.REWRITES):
        notify(f"trying {rewrite}", step, runs)
        made = _run(of, {s.target: _sets(of, s, rewrite) for s in searches}, searches, timing, device)
        documents += [made] if made is not None else []
        for search in searches:
            _settle(search, rewrite, made)
    notify("trying the whole set", runs - 1, runs)
    made = _run(of, {s.target: _ends(of, s) for s in searches}, searches, timing, device)
    documents += [made] if made is not None else []
    for search in searches:
        _finish(search, made)
        chosen = Chosen(search.target, search.kept, device.name, trials=tuple(search.trials))
        for document in documents:
            chosen = chosen.seen(document.environment)
        done[search.target] = chosen
    return list(done.values())


def _run(
    of: Candidates,
    sets: Mapping[str, Sequence[tuple[str, ...]]],
    searches: Sequence[_Search],
    timing: Timing,
    device: Device,
) -> Document | None:
    """Time some sets of each target beside its best so far, all in turns, each in several processes."""
    subjects: list[BenchmarkCase] = []
    for search in searches:
        if names := [one for one in sets[search.target] if one != search.kept]:
            ours = [_subject(of, search, one, timing.threads) for one in (search.kept, *names)]
            subjects += [replace(one, artifact=f"{one.artifact}{_AGAIN * n}") for n in range(PROCESSES) for one in ours]
    return measure(subjects, timing.settings, device=device) if subjects else None


def _sets(of: Candidates, search: _Search, rewrite: str) -> list[tuple[str, ...]]:
    """The sets that are worth trying: those of which the new rewrite changes something and which emit a right file."""
    found, refused = [], ""
    wishes = [registry.ordered((*search.kept, rewrite)), registry.ordered((*search.kept, *search.waiting, rewrite))]
    for names in dict.fromkeys(wishes):
        try:
            if rewrite in _emitted(of, search, names).rewrites:
                found.append(names)
        except PocketlensError as error:
            refused = error.what.splitlines()[0]
    if not found:
        search.trials.append(Trial(search.target, rewrite, wishes[0], note=refused or "changes nothing"))
    return found


def _judged(search: _Search, document: Document | None, before: tuple[str, ...]) -> dict[tuple[str, ...], Trial]:
    """Every set of a target that was measured, against one of them."""
    results: dict[str, list[CaseResult]] = {}
    for result in document.subjects if document is not None else ():
        results.setdefault(result.artifact.rstrip(_AGAIN), []).append(result)
    found = {}
    for names in search.emitted:
        after = results.get(_name(search, names))
        if after is not None and names != before:
            added = "+".join(name for name in names if name not in before) or "fewer"
            found[names] = judge(search.target, added, names, results[_name(search, before)], after)
    return found


def _settle(search: _Search, rewrite: str, document: Document | None) -> None:
    """Keep the best of the sets that were timed with a new rewrite, if it beats what was kept."""
    trials = _judged(search, document, search.kept)
    if not trials:
        return
    best = max((trial for trial in trials.values() if trial.kept), key=lambda trial: trial.ratio or 0, default=None)
    search.trials += [replace(trial, kept=trial is best) for trial in trials.values()]
    if best is None:
        search.waiting += (rewrite,)
    else:
        search.kept = best.names
        search.waiting = tuple(name for name in search.waiting if name not in best.names)


def _ends(of: Candidates, search: _Search) -> list[tuple[str, ...]]:
    """What the search began with, and the target's defaults: one step at a time may have missed what they reach."""
    sets: list[tuple[str, ...]] = [()]
    with suppress(PocketlensError):
        names = TARGETS[search.target].rewrites
        if _emitted(of, search, names).rewrites not in ((), _emitted(of, search, search.kept).rewrites):
            sets.append(names)
    return sets


def _finish(search: _Search, document: Document | None) -> None:
    """Take the defaults if they beat what was kept, and nothing at all if the whole does not beat that."""
    names = TARGETS[search.target].rewrites
    if (trial := _judged(search, document, search.kept).get(names)) and names:
        search.trials.append(replace(trial, rewrite=DEFAULTS))
        search.kept = names if trial.kept else search.kept
    if (total := _judged(search, document, ()).get(search.kept)) and search.kept:
        search.trials.append(replace(total, rewrite=EVERYTHING))
        search.kept = search.kept if total.kept else ()


def _emitted(of: Candidates, search: _Search, names: tuple[str, ...]) -> stages.Emitted:
    if names not in search.emitted:
        search.emitted[names] = of.emitted(search.target, search.precision, names)
    return search.emitted[names]


def _name(search: _Search, names: tuple[str, ...]) -> str:
    return f"{search.target} with {'+'.join(names) or 'none'}"


def _subject(of: Candidates, search: _Search, names: tuple[str, ...], threads: int) -> BenchmarkCase:
    emitted = _emitted(of, search, names)
    return BenchmarkCase(
        artifact=_name(search, names),
        path=emitted.path,
        target=search.target,
        precision=search.precision,
        runtime=search.runtime,
        picture=of.judges.pictures[0],
        expected=to_uint8(of.teachers[0]),
        min_psnr=emitted.verified.golden_psnr,
        threads=threads,
    )
