"""Which rewrites are faster on a device: each is tried on every target at once, in turns, and kept where it wins."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pocketlens.bench.case import BenchmarkCase, is_interpreted
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from pocketlens.bench.result import CaseResult
from pocketlens.converters.rewrites import registry
from pocketlens.errors import PocketlensError
from pocketlens.files import cached, lookup, sha256
from pocketlens.pipeline.benchmark_cases import benchmark_case
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.search.rewrite_trials import RewriteChoice, RewriteTrial, compare, parse
from pocketlens.pipeline.stage_key import machine, stage_key
from pocketlens.pipeline.stages.emit import VerifiedArtifact, emit
from pocketlens.pipeline.stages.quantize import graph_quantizer
from pocketlens.pipeline.stages.rewrite import rewrite
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Quantize
from pocketlens.targets import TARGETS, ArtifactSpec

SETTINGS = BenchmarkSettings(
    seconds=0.6, count=12, max_seconds=30.0, block_seconds=0.1, block_count=2, warm_seconds=1.5, min_blocks=6
)
"""Many short turns: it is the pairs of neighbouring rounds that are compared."""
_AGAIN = "'"
PROCESSES = 2
"""How often each file is loaded anew. OpenVINO's time of one and the same small file differed by a third from one
process to the next, while the rounds within each agreed to a hundredth: one process alone would have decided by chance.
"""


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
class RewriteCandidates:
    """What rewrites are tried on: the graph of a generator at one size, and what its artifacts are judged by.

    Attributes:
        evaluation: The generator and its pictures.
        graph: Before rewrites.
        quantize: How low-bit precisions are made.
    """

    evaluation: Evaluation
    graph: Path
    quantize: Quantize = field(default_factory=Quantize)

    def emit(self, spec: ArtifactSpec, names: Sequence[str]) -> VerifiedArtifact:
        """The verified artifact with some rewrites.

        Raises:
            PocketlensError: The target cannot express it, or the file does not compute what the teacher computes.
        """
        graph = rewrite(self.evaluation, self.graph, names, spec.precision)
        if spec.arithmetic.is_low_bit:
            # Rewrites are timed here; which settings help the picture is another matter.
            graph = graph_quantizer(
                self.evaluation, self.graph, graph, spec, self.quantize, settings_measured=False
            ).quantize()
        return emit(self.evaluation, graph, spec)


@dataclass
class _TargetSearch:
    """A target while rewrites are tried on it, greedily and in order.

    Attributes:
        spec: The artifact that is timed.
        runtime: That plays it there.
        kept: The best set so far.
        waiting: Rewrites that changed the graph but were not faster by themselves: a later one may need them.
    """

    spec: ArtifactSpec
    runtime: str
    kept: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    trials: list[RewriteTrial] = field(default_factory=list)
    emitted: dict[tuple[str, ...], VerifiedArtifact] = field(default_factory=dict)


def search_rewrites(
    candidates: RewriteCandidates,
    targets: Mapping[str, Sequence[str]],
    timing: Timing,
    notify: Progress = silent,
) -> dict[str, RewriteChoice]:
    """Try every rewrite on every target and keep those that are faster beyond the spread.

    Rewrites are tried in the order in which they run, each on top of those that were kept, and once more together with
    those before it that changed something but won nothing: packing may only pay once what follows stays packed. Every
        file
    that is timed has been verified. A choice is kept in the cache with all that it depends on: the graph, the code, the
    libraries, the device.

    Args:
        candidates: What to try them on.
        targets: Target → precisions; the first of ``fp32`` and what else was asked for is timed.
        timing: How.
        notify: Told about progress.

    Returns:
        Target → what was chosen. A target that cannot be timed there takes its defaults.
    """
    device = timing.device or Local()
    runtimes = {target: _runtime_on(device, target) for target in targets}
    host = machine() if timing.device is None else _host(device, [name for name, why in runtimes.values() if not why])
    keys = {
        target: stage_key(
            graph=sha256(candidates.graph), target=target, precision=_timed_precision(precisions),
            rewrites=list(registry.REWRITES), device=device.name, host=host, threads=timing.threads,
            settings=asdict(timing.settings), pictures=candidates.evaluation.eval_set.digest(),
            quantize=candidates.quantize.model_dump(mode="json"),
        )
        for target, precisions in targets.items()
    }  # fmt: skip
    choices = {
        target: parse((entry / "choice.json").read_text())
        for target, key in keys.items()
        if (entry := lookup("rewrite-choice", key))
    }
    missing = {target: _timed_precision(precisions) for target, precisions in targets.items() if target not in choices}
    for choice in _search(candidates, missing, runtimes, timing, device, notify) if missing else ():
        choices[choice.target] = choice
        if not choice.disturbed and choice.device:
            cached("rewrite-choice", keys[choice.target], partial(_write, choice))
    return {target: choices[target] for target in targets}


def _runtime_on(device: Device, target: str) -> tuple[str, str]:
    """The runtime that plays a target there, and why it cannot be timed, or an empty string."""
    able = TARGETS[target].runtimes
    reasons = {name: device.missing(name) for name in able}
    usable = [name for name, reason in reasons.items() if not reason]
    if not usable:
        return "", "; ".join(dict.fromkeys(reasons.values()))
    interpreted = is_interpreted(usable[0])
    return usable[0], f"{usable[0]} shows what an artifact computes, not how fast" if interpreted else ""


def _host(device: Device, runtimes: Sequence[str]) -> dict[str, Any]:
    """What another device is; asked once it has what it takes to answer."""
    try:
        device.prepare(sorted(set(runtimes)))
        return asdict(device.host())
    finally:
        device.close()


def _write(choice: RewriteChoice, folder: Path) -> None:
    (folder / "choice.json").write_text(choice.to_json())


def _timed_precision(asked: Sequence[str]) -> str:
    return "fp32" if "fp32" in asked else asked[0]


def _search(
    candidates: RewriteCandidates,
    targets: Mapping[str, str],
    runtimes: Mapping[str, tuple[str, str]],
    timing: Timing,
    device: Device,
    notify: Progress,
) -> list[RewriteChoice]:
    done: dict[str, RewriteChoice] = {}
    searches = []
    for target, precision in targets.items():
        runtime, why = runtimes[target]
        search = _TargetSearch(ArtifactSpec(target, precision, candidates.evaluation.size), runtime)
        if not why:
            try:  # what every set is compared with; where even that cannot be had, there is nothing to choose
                _emitted(candidates, search, ())
            except PocketlensError as error:
                why = error.what.splitlines()[0]
        if why:
            names = TARGETS[target].rewrites
            done[target] = RewriteChoice(
                target, names, trials=(RewriteTrial(target, "+".join(names), names, note=why),)
            )
        else:
            searches.append(search)
    runs = len(registry.REWRITES) + 1
    documents: list[Document] = []
    for step, name in enumerate(registry.REWRITES):
        notify(f"trying {name}", step, runs)
        document = _run(
            candidates, {s.spec.target: _sets(candidates, s, name) for s in searches}, searches, timing, device
        )
        documents += [document] if document is not None else []
        for search in searches:
            _settle(search, name, document)
    notify("trying the whole set", runs - 1, runs)
    document = _run(candidates, {s.spec.target: _ends(candidates, s) for s in searches}, searches, timing, device)
    documents += [document] if document is not None else []
    for search in searches:
        _finish(search, document)
        chosen = RewriteChoice(search.spec.target, search.kept, device.name, trials=tuple(search.trials))
        for measured in documents:
            chosen = chosen.seen(measured.environment)
        done[search.spec.target] = chosen
    return list(done.values())


def _run(
    candidates: RewriteCandidates,
    sets: Mapping[str, Sequence[tuple[str, ...]]],
    searches: Sequence[_TargetSearch],
    timing: Timing,
    device: Device,
) -> Document | None:
    """Time some sets of each target beside its best so far, all in turns, each in several processes."""
    cases: list[BenchmarkCase] = []
    for search in searches:
        if new_sets := [names for names in sets[search.spec.target] if names != search.kept]:
            of_target = [_case(candidates, search, names, timing.threads) for names in (search.kept, *new_sets)]
            cases += [
                replace(case, artifact=f"{case.artifact}{_AGAIN * n}") for n in range(PROCESSES) for case in of_target
            ]
    return measure(cases, timing.settings, device=device) if cases else None


def _sets(candidates: RewriteCandidates, search: _TargetSearch, rewrite: str) -> list[tuple[str, ...]]:
    """The sets that are worth trying: those of which the new rewrite changes something and which emit a right file."""
    worth_timing, refused = [], ""
    wanted = [registry.in_order((*search.kept, rewrite)), registry.in_order((*search.kept, *search.waiting, rewrite))]
    for names in dict.fromkeys(wanted):
        try:
            if rewrite in _emitted(candidates, search, names).rewrites:
                worth_timing.append(names)
        except PocketlensError as error:
            refused = error.what.splitlines()[0]
    if not worth_timing:
        search.trials.append(RewriteTrial(search.spec.target, rewrite, wanted[0], note=refused or "changes nothing"))
    return worth_timing


def _compared(
    search: _TargetSearch, document: Document | None, before: tuple[str, ...]
) -> dict[tuple[str, ...], RewriteTrial]:
    """Every set of a target that was measured, against one of them."""
    results: dict[str, list[CaseResult]] = {}
    for result in document.results if document is not None else ():
        results.setdefault(result.artifact.id.rstrip(_AGAIN), []).append(result)
    trials = {}
    for names in search.emitted:
        after = results.get(_name(search, names))
        if after is not None and names != before:
            added = "+".join(name for name in names if name not in before) or "fewer"
            trials[names] = compare(search.spec.target, added, names, results[_name(search, before)], after)
    return trials


def _settle(search: _TargetSearch, rewrite: str, document: Document | None) -> None:
    """Keep the best of the sets that were timed with a new rewrite, if it beats what was kept."""
    trials = _compared(search, document, search.kept)
    if not trials:
        return
    best = max((trial for trial in trials.values() if trial.kept), key=lambda trial: trial.ratio or 0, default=None)
    search.trials += [replace(trial, kept=trial is best) for trial in trials.values()]
    if best is None:
        search.waiting += (rewrite,)
    else:
        search.kept = best.names
        search.waiting = tuple(name for name in search.waiting if name not in best.names)


def _ends(candidates: RewriteCandidates, search: _TargetSearch) -> list[tuple[str, ...]]:
    """What the search began with, and the target's defaults: one step at a time may have missed what they reach."""
    sets: list[tuple[str, ...]] = [()]
    with suppress(PocketlensError):
        names = TARGETS[search.spec.target].rewrites
        if _emitted(candidates, search, names).rewrites not in ((), _emitted(candidates, search, search.kept).rewrites):
            sets.append(names)
    return sets


def _finish(search: _TargetSearch, document: Document | None) -> None:
    """Take the defaults if they beat what was kept, and nothing at all if the whole does not beat that."""
    names = TARGETS[search.spec.target].rewrites
    if (trial := _compared(search, document, search.kept).get(names)) and names:
        search.trials.append(replace(trial, rewrite=DEFAULTS))
        search.kept = names if trial.kept else search.kept
    if (total := _compared(search, document, ()).get(search.kept)) and search.kept:
        search.trials.append(replace(total, rewrite=EVERYTHING))
        search.kept = search.kept if total.kept else ()


def _emitted(candidates: RewriteCandidates, search: _TargetSearch, names: tuple[str, ...]) -> VerifiedArtifact:
    if names not in search.emitted:
        search.emitted[names] = candidates.emit(search.spec, names)
    return search.emitted[names]


def _name(search: _TargetSearch, names: tuple[str, ...]) -> str:
    return f"{search.spec.target} with {'+'.join(names) or 'none'}"


def _case(candidates: RewriteCandidates, search: _TargetSearch, names: tuple[str, ...], threads: int) -> BenchmarkCase:
    artifact = _emitted(candidates, search, names)
    return benchmark_case(candidates.evaluation, artifact, threads, name=_name(search, names), runtime=search.runtime)
