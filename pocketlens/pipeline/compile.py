"""From a source to all its verified artifacts: what ``build``, ``convert``, ``optimize`` and ``quantize`` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketlens.chips import ANY_CHIP, ChipChoice
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import refuse
from pocketlens.converters.fp16_audit import Extent
from pocketlens.converters.quantization.plan import Plan
from pocketlens.errors import PocketlensError, RecipeError, UnsupportedError, VerificationError
from pocketlens.memory import large_blocks_returned, return_small_blocks
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.failed import FailedArtifact, nothing_made
from pocketlens.pipeline.forms import ArtifactForm, ArtifactRequest, emit_first_right, first_form
from pocketlens.pipeline.helpers import Helpers
from pocketlens.pipeline.rewrite_selection import RewriteSelection, names_for
from pocketlens.pipeline.search.fallback import Fallback
from pocketlens.pipeline.search.mixed_precision_search import SearchSettings
from pocketlens.pipeline.search.pareto import ParetoFront
from pocketlens.pipeline.search.rewrite_search import RewriteCandidates, Timing, search_rewrites
from pocketlens.pipeline.search.rewrite_trials import RewriteChoice
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.pipeline.stages.fp16_scaling import ScaledGraph, fp16_scaling, name_overflow
from pocketlens.pipeline.stages.graph import export_graph, graph_notes
from pocketlens.pipeline.stages.score_against_original import score_against_original
from pocketlens.progress import Progress
from pocketlens.recipe import Quantize
from pocketlens.targets import ArtifactSpec


@dataclass(frozen=True)
class CompiledSize:
    """The artifacts of one size.

    Attributes:
        evaluation: What they are made from and judged by.
        artifacts: In the order of the targets asked for.
        rewrite_choices: How the rewrites of each target were chosen, where they were measured.
        risks: What half precision may not hold, after exact means; empty where only ``fp32`` was asked for.
        fronts: What searches for plans found; they are made at the first size that misses the gate.
        failed: The artifacts that were asked for and could not be made.
        warnings: What is odd about the generator, in sentences.
    """

    evaluation: Evaluation
    artifacts: tuple[VerifiedArtifact, ...]
    rewrite_choices: tuple[RewriteChoice, ...] = ()
    risks: tuple[Extent, ...] = ()
    fronts: tuple[ParetoFront, ...] = ()
    failed: tuple[FailedArtifact, ...] = ()
    warnings: tuple[str, ...] = ()


def base_graph(evaluation: Evaluation, specs: Sequence[ArtifactSpec]) -> ScaledGraph:
    """The graph that every target's rewrites begin with: exported, and scaled where a precision asked for wants it.

    Raises:
        InputError: The source cannot be exported or imported at this size, or its pictures show nothing.
        VerificationError: The graph does not compute what the source computes.
    """
    warnings = evaluation.warnings
    graph = export_graph(evaluation)
    return replace(fp16_scaling(evaluation, graph, specs), warnings=(*warnings, *graph_notes(graph)))


@large_blocks_returned()
def compile_sizes(
    evaluations: Sequence[Evaluation],
    targets: Mapping[str, Sequence[str]],
    notify: Progress,
    *,
    rewrites: RewriteSelection = "safe",
    timing: Timing | None = None,
    quantize: Quantize | None = None,
    chips: ChipChoice = ANY_CHIP,
    search: SearchSettings | None = None,
    helpers: Helpers | None = None,
) -> list[CompiledSize]:
    """Export, emit and verify. Every size's operators are checked before any file is written.

    An artifact that cannot be made does not take the others with it: it is told to ``notify``, and stands in
    :attr:`CompiledSize.failed` with its reason.

    Args:
        evaluations: One a size.
        targets: Target → precisions.
        notify: Told about progress.
        rewrites: Which rewrites each target gets; see :mod:`pocketlens.pipeline.rewrite_selection`. ``auto`` is
            measured at the first size, and kept at all of them.
        timing: How ``auto`` measures.
        quantize: How low-bit precisions are made; None for every layer as the precision says.
        chips: Which chips there is a file for, of targets that are compiled for chips.
        search: How a plan is looked for, at the first size, where an artifact misses the gate; None not to.
        helpers: Processes that make artifacts ahead.

    Raises:
        InputError: A target lacks a precision, or a rule of ``quantize`` fits nothing.
        PocketlensError: No artifact at all could be made; the error says why.
    """
    specs = [evaluation.specs(targets, chips) for evaluation in evaluations]
    names = {target: names_for(rewrites, target) for target in targets}
    steps, helpers = len(evaluations) + sum(map(len, specs)), helpers or Helpers()
    compilation = _Compilation(quantize or Quantize(), notify, steps, helpers)
    choices: dict[str, RewriteChoice] = {}
    graphs: list[ScaledGraph | None] = []
    for evaluation, wanted in zip(evaluations, specs, strict=True):
        graph = compilation.graph(evaluation, wanted)
        if graph is not None and rewrites == "auto" and not choices:
            candidates = RewriteCandidates(evaluation, graph.path, compilation.quantize)
            able = {target: precisions for target, precisions in targets.items() if _takes(target, graph)}
            choices = search_rewrites(candidates, able, timing or Timing(), notify)
            names |= {target: choice.names for target, choice in choices.items()}
        if graph is not None:
            compilation.prepare(evaluation, graph.path, wanted, names)
        graphs.append(graph)
    fallback = Fallback(search, notify, helpers)
    artifacts = compilation.emit(fallback)
    if not artifacts:
        raise nothing_made(compilation.failed)
    compiled = [
        CompiledSize(
            evaluation,
            tuple(artifacts[spec] for spec in wanted if spec in artifacts),
            tuple(choices.values()),
            graph.risks if graph else (),
            fallback.fronts,
            tuple(failed for failed in compilation.failed if failed.spec in wanted),
            graph.warnings if graph else (),
        )
        for evaluation, wanted, graph in zip(evaluations, specs, graphs, strict=True)
    ]
    compiled = [_scored(size, notify) for size in compiled]
    notify("verified", compilation.steps, compilation.steps)
    return compiled


class _Compilation:
    """The artifacts of all sizes while they are made: what fails is noted, and the others go on."""

    def __init__(self, quantize: Quantize, notify: Progress, steps: int, helpers: Helpers) -> None:
        self.quantize, self.steps, self._helpers = quantize, steps, helpers
        self.failed: list[FailedArtifact] = []
        self._notify, self._done = notify, 0
        self._forms: list[ArtifactForm] = []
        self._plans: dict[tuple[str, str], Plan] = {}
        self._risks: dict[Path, Sequence[Extent]] = {}

    def graph(self, evaluation: Evaluation, specs: Sequence[ArtifactSpec]) -> ScaledGraph | None:
        """The graph of one size; None where it cannot be had, which fails all artifacts of that size."""
        self._step(f"graph {evaluation.size[0]}x{evaluation.size[1]}")
        try:
            graph = base_graph(evaluation, specs)
            self._risks[graph.path] = graph.risks
            return graph
        except PocketlensError as error:
            for spec in specs:
                self._fail(spec, error)
            return None

    def prepare(
        self, evaluation: Evaluation, graph: Path, specs: Sequence[ArtifactSpec], names: Mapping[str, Sequence[str]]
    ) -> None:
        """Make the graphs of one size's artifacts; operators and rules are checked, and plans of the first size stay.

        Args:
            evaluation: Of this size.
            graph: Before rewrites.
            specs: The artifacts.
            names: Target → rewrites.
        """
        requests = [
            ArtifactRequest(
                evaluation, graph, spec, tuple(names[spec.target]), self.quantize,
                self._plans.get((spec.target, spec.precision)),
            )
            for spec in specs
        ]  # fmt: skip
        self._helpers.give(requests)
        for request in requests:
            self._prepare(request)

    def _prepare(self, request: ArtifactRequest) -> None:
        return_small_blocks()
        spec = request.spec
        try:
            with self._helpers.lock(spec, "made"):
                form = first_form(request)
        except RecipeError:
            raise
        # A defect in what one target needs must not take the files of the others.
        except Exception as error:  # noqa: BLE001
            self._fail(spec, error)
            return
        self._forms.append(form)
        if form.quantizer is not None:
            self._plans.setdefault((spec.target, spec.precision), form.quantizer.plan)

    def emit(self, fallback: Fallback) -> dict[ArtifactSpec, VerifiedArtifact]:
        """Write and verify everything that was prepared."""
        artifacts = {}
        for form in self._forms:
            spec = form.request.spec
            self._step(spec.id)
            try:
                with self._helpers.lock(spec, "made"):
                    artifacts[spec] = _emit(form, fallback)
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(spec, name_overflow(error, spec, self._risks[form.request.graph]))
        return artifacts

    def _step(self, what: str) -> None:
        return_small_blocks()
        self._notify(what, self._done, self.steps)
        self._done += 1

    def _fail(self, spec: ArtifactSpec, error: Exception) -> None:
        failed = FailedArtifact(spec, error)
        self.failed.append(failed)
        self._notify(f"{spec.id} failed: {failed.summary}", self._done, self.steps)


def _takes(target: str, graph: ScaledGraph) -> bool:
    try:
        refuse(hub.load(graph.path), [target])
    except UnsupportedError:
        return False
    return True


def _emit(form: ArtifactForm, fallback: Fallback) -> VerifiedArtifact:
    """The artifact of the first form that is right; of a low-bit one that is wrong or misses the gate another plan."""
    evaluation = form.request.evaluation
    try:
        form, artifact = emit_first_right(form)
    except VerificationError as error:
        if form.quantizer is None:
            raise
        return fallback.instead(evaluation, form.quantizer, error)
    if form.quantizer is None:
        return artifact
    return fallback.best(evaluation, artifact, form.quantizer)


def _scored(size: CompiledSize, notify: Progress) -> CompiledSize:
    """Artifacts of a student with their scores against its teacher, which gates and report then show."""
    if size.evaluation.original is None:
        return size
    artifacts = []
    for done, artifact in enumerate(size.artifacts):
        notify(f"{artifact.spec.id} against the teacher", done, len(size.artifacts))
        artifacts.append(score_against_original(size.evaluation, artifact))
    return replace(size, artifacts=tuple(artifacts))
