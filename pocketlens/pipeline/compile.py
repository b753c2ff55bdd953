"""From a source to all its verified artifacts: what ``build``, ``convert``, ``optimize`` and ``quantize`` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import refuse
from pocketlens.converters.fp16_audit import Extent
from pocketlens.converters.quantization.plan import Plan
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.rewrite_selection import RewriteSelection, names_for
from pocketlens.pipeline.search.fallback import Fallback
from pocketlens.pipeline.search.mixed_precision_search import SearchSettings
from pocketlens.pipeline.search.pareto import ParetoFront
from pocketlens.pipeline.search.rewrite_search import RewriteCandidates, Timing, search_rewrites
from pocketlens.pipeline.search.rewrite_trials import RewriteChoice
from pocketlens.pipeline.stages.emit import VerifiedArtifact, emit, is_emitted
from pocketlens.pipeline.stages.fp16_scaling import ScaledGraph, fp16_scaling
from pocketlens.pipeline.stages.graph import export_graph
from pocketlens.pipeline.stages.quantize import graph_quantizer
from pocketlens.pipeline.stages.quantizer import GraphQuantizer
from pocketlens.pipeline.stages.rewrite import TargetGraph, rewrite
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
        fronts: What searches for plans found; they are made at the first size.
    """

    evaluation: Evaluation
    artifacts: tuple[VerifiedArtifact, ...]
    rewrite_choices: tuple[RewriteChoice, ...] = ()
    risks: tuple[Extent, ...] = ()
    fronts: tuple[ParetoFront, ...] = ()


@dataclass(frozen=True)
class _PreparedSize:
    """The graphs of one size, before anything is emitted."""

    evaluation: Evaluation
    graphs: dict[ArtifactSpec, TargetGraph]
    quantizers: dict[ArtifactSpec, GraphQuantizer]
    risks: tuple[Extent, ...]


def base_graph(evaluation: Evaluation, specs: Sequence[ArtifactSpec]) -> ScaledGraph:
    """The graph that every target's rewrites begin with: exported, and scaled where a precision asked for wants it.

    Raises:
        InputError: The source cannot be exported or imported at this size.
        VerificationError: The graph does not compute what the source computes.
    """
    return fp16_scaling(evaluation, export_graph(evaluation), specs)


def compile_sizes(
    evaluations: Sequence[Evaluation],
    targets: Mapping[str, Sequence[str]],
    notify: Progress,
    *,
    rewrites: RewriteSelection = "safe",
    timing: Timing | None = None,
    quantize: Quantize | None = None,
    search: SearchSettings | None = None,
) -> list[CompiledSize]:
    """Export, emit and verify. Every size's operators are checked before any file is written.

    Args:
        evaluations: One a size.
        targets: Target → precisions.
        notify: Told about progress.
        rewrites: Which rewrites each target gets; see :mod:`pocketlens.pipeline.rewrite_selection`. ``auto`` is
            measured at the first size, and kept at all of them.
        timing: How ``auto`` measures.
        quantize: How low-bit precisions are made; None for every layer as the precision says.
        search: How a plan is looked for, at the first size, where an artifact misses the gate; None not to.

    Raises:
        InputError: A target lacks a precision, a rule of ``quantize`` fits nothing, or a value cannot be calibrated.
        UnsupportedError: A target cannot express an operator.
        VerificationError: A file does not compute what the teacher computes.
    """
    quantize = quantize or Quantize()
    specs = [evaluation.specs(targets) for evaluation in evaluations]
    names = {target: names_for(rewrites, target) for target in targets}
    steps = len(evaluations) + sum(map(len, specs))
    choices: dict[str, RewriteChoice] = {}
    prepared: list[_PreparedSize] = []
    for evaluation, wanted in zip(evaluations, specs, strict=True):
        notify(f"graph {evaluation.size[0]}x{evaluation.size[1]}", len(prepared), steps)
        graph = base_graph(evaluation, wanted)
        if rewrites == "auto" and not choices:
            refuse(hub.load(graph.path), list(targets))
            candidates = RewriteCandidates(evaluation, graph.path, quantize)
            choices = search_rewrites(candidates, targets, timing or Timing(), notify)
            names = {target: choice.names for target, choice in choices.items()}
        plans = {_kind(spec): quantizer.plan for spec, quantizer in prepared[0].quantizers.items()} if prepared else {}
        prepared.append(_prepare(evaluation, graph, wanted, names, quantize, plans))
    for size in prepared:
        for spec in sorted(size.graphs, key=_kind):
            if not spec.arithmetic.is_low_bit and not is_emitted(size.evaluation, size.graphs[spec], spec):
                refuse(hub.load(size.graphs[spec].path), [spec.target])
    fallback, done = Fallback(search, notify), len(evaluations)
    compiled = []
    for size in prepared:
        artifacts = []
        for spec, target_graph in size.graphs.items():
            notify(spec.id, done, steps)
            artifact = emit(size.evaluation, target_graph, spec)
            quantizer = size.quantizers.get(spec)
            artifacts.append(fallback.best(size.evaluation, artifact, quantizer) if quantizer else artifact)
            done += 1
        compiled.append(CompiledSize(size.evaluation, tuple(artifacts), tuple(choices.values()), size.risks))
    compiled = [_scored(replace(size, fronts=fallback.fronts), notify) for size in compiled]
    notify("verified", steps, steps)
    return compiled


def _kind(spec: ArtifactSpec) -> tuple[str, str]:
    return spec.target, spec.precision


def _prepare(
    evaluation: Evaluation,
    graph: ScaledGraph,
    specs: Sequence[ArtifactSpec],
    names: Mapping[str, Sequence[str]],
    quantize: Quantize,
    plans: Mapping[tuple[str, str], Plan],
) -> _PreparedSize:
    """The graph of each artifact; of low-bit ones operators and rules are checked, and plans of the first size stay."""
    graphs = {spec: rewrite(evaluation, graph.path, names[spec.target], spec.precision) for spec in specs}
    quantizers = {}
    for spec, target_graph in graphs.items():
        if spec.arithmetic.is_low_bit:
            refuse(hub.load(target_graph.path), [spec.target])
            quantizers[spec] = graph_quantizer(
                evaluation, graph.path, target_graph, spec, quantize,
                plan=plans.get(_kind(spec)), rewrites=names[spec.target],
            )  # fmt: skip
    graphs |= {spec: quantizer.quantize() for spec, quantizer in quantizers.items()}
    return _PreparedSize(evaluation, graphs, quantizers, graph.risks)


def _scored(size: CompiledSize, notify: Progress) -> CompiledSize:
    """Artifacts of a student with their scores against its teacher, which gates and report then show."""
    if size.evaluation.original is None:
        return size
    artifacts = []
    for done, artifact in enumerate(size.artifacts):
        notify(f"{artifact.spec.id} against the teacher", done, len(size.artifacts))
        artifacts.append(score_against_original(size.evaluation, artifact))
    return replace(size, artifacts=tuple(artifacts))
