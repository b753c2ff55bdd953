"""``build``: a recipe in, a verified bundle with its measurements and report out."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.bench.budget import BudgetVerdict, PerformanceBudget, judge_all, overall
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from pocketlens.bench.speedup_check import check_speedups, unpaid
from pocketlens.bench.speedup_check import to_json as speedups
from pocketlens.bundle.manifest import Manifest
from pocketlens.bundle.write import check_place, write
from pocketlens.converters.emitter import Labels
from pocketlens.files import artifact_files, cached, lookup, sha256
from pocketlens.images import to_uint8
from pocketlens.models.source import Source, resolve, wrap
from pocketlens.pipeline.benchmark_cases import benchmark_case
from pocketlens.pipeline.budgets import budget_from
from pocketlens.pipeline.builtin_origin import with_builtin_origin
from pocketlens.pipeline.bundle_spec import bundle_spec, licenses_of
from pocketlens.pipeline.commands.distill import recipe_source, student_source
from pocketlens.pipeline.commands.model import signature_of
from pocketlens.pipeline.compile import CompiledSize, compile_sizes
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.helpers import Helpers, helper_count
from pocketlens.pipeline.people import People, check_people, measure_people
from pocketlens.pipeline.people import report_sections as people_sections
from pocketlens.pipeline.placements import place_all
from pocketlens.pipeline.rewrite_selection import RewriteSelection, check
from pocketlens.pipeline.search import pareto, rewrite_trials
from pocketlens.pipeline.search.mixed_precision_search import SearchSettings
from pocketlens.pipeline.search.pareto import ParetoFront
from pocketlens.pipeline.search.pareto_page import section
from pocketlens.pipeline.search.rewrite_search import Timing
from pocketlens.pipeline.search.rewrite_trials import RewriteChoice
from pocketlens.pipeline.stage_key import machine, stage_key
from pocketlens.pipeline.student_summary import StudentSummary, read_summary, report_sections, with_times
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

THREADS = 2
"""Threads that a build measures with, so that figures of different builds can be set side by side."""


@dataclass(frozen=True)
class Build:
    """What a build made.

    Attributes:
        path: The bundle.
        manifest: What it holds.
        document: The measurement on this machine; None if it was not asked for.
        verdicts: Of each budget on each artifact.
        left_out: Files of integer arithmetic that are not in the bundle, since they were slower than floats here: id →
            reason.
        rewrite_choices: How the rewrites of each target were chosen, where they were measured.
        fronts: What searches for plans found where a low-bit artifact missed the gate.
        student: Where the source is a student that was made before: what it is beside its teacher, with which nothing
            here was compared.
        warnings: What is odd about the generator, in sentences.
    """

    path: Path
    manifest: Manifest
    document: Document | None
    verdicts: tuple[BudgetVerdict, ...]
    rewrite_choices: tuple[RewriteChoice, ...] = ()
    fronts: tuple[ParetoFront, ...] = ()
    student: StudentSummary | None = None
    warnings: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``pass`` if every file was made and every gate and budget holds, else ``fail`` or ``unstable``."""
        failed = self.document is not None and any(result.failure for result in self.document.results)
        if self.manifest.verdict == "fail" or self.manifest.failed or failed:
            return "fail"
        budgets = overall(self.verdicts)
        return "pass" if budgets == "not measured" else budgets


def build(
    recipe: Recipe | Path | str,
    output: Path | str | None = None,
    *,
    generator: "nn.Module | str | None" = None,
    bench: bool = True,
    threads: int = THREADS,
    rewrites: RewriteSelection | None = None,
    notify: Progress = silent,
) -> Build:
    """Build a bundle.

    Args:
        recipe: A recipe, or the path of one. Paths in it are relative to its folder, or to the current one.
        output: Where to write the bundle: a folder, or a ``.zip``; ``NAME.bundle`` if left out. An older bundle there
            is replaced, anything else is not.
        generator: A torch module to use instead of the recipe's ``source``, or ``"module:factory"``. Its
            ``input_range`` and ``output_range`` are taken from the recipe, else from attributes of these names, else
            0..255.
        bench: Measure the artifacts on this machine and judge the budget.
        threads: To measure with. With 1 the build is one process; else helpers make files ahead on the other cores.
        rewrites: Which rewrites each target gets, instead of the recipe's; see
            :mod:`pocketlens.pipeline.rewrite_selection`.
        notify: Told about progress.

    Returns:
        The bundle's path, manifest, measurement and verdicts. A missed gate or budget is a verdict, not an error, and
        so is a file that could not be made: it is left out, and the manifest names it with the reason.

    Raises:
        InputError: The recipe, a picture or the generator is wrong, or the output cannot be written.
        UnsupportedError: No target can express the generator; nothing is written.
        VerificationError: No file computes what the teacher computes; nothing is written.

    Example:
        >>> import pocketlens
        >>> build = pocketlens.build("wave.toml", "wave.bundle", bench=False)
        >>> build.verdict
        'pass'
    """
    if isinstance(recipe, Recipe):
        base, text = Path.cwd(), recipe.text()
    else:
        base, file = Path(recipe).parent, Path(recipe)
        recipe = Recipe.read(file)
        text = file.read_text("utf-8-sig")
    recipe = with_builtin_origin(recipe) if generator is None else recipe
    path = Path(output) if output is not None else Path(f"{recipe.filter.name}.bundle")
    check_place(path)
    licenses = licenses_of(recipe, base)  # what can be wrong is found before the work, not after it
    check_people(recipe.gate)
    budget = budget_from(recipe.budget.model_dump(exclude_none=True))
    selection = check(recipe.rewrites.keep if rewrites is None else rewrites)
    targets, asked = recipe.targets.chosen(), recipe.asked_accelerators
    # Rewrites that are chosen by time are timed at once, and beside helpers no time would be right.
    count = 0 if selection == "auto" else helper_count(targets, threads)
    source, original = (
        source and source.with_guided_output(recipe.filter.guided, recipe.filter.strokes)
        for source in _sources(recipe, base, generator, threads, notify)
    )
    assert source is not None
    timing = Timing(threads=threads)
    with Helpers(count, list(targets), asked) as helpers:
        sizes = compile_sizes(
            evaluations_of(recipe, base, source, original), targets, notify, rewrites=selection, timing=timing,
            quantize=recipe.quantize, chips=recipe.chips.choice(),
            search=SearchSettings(recipe.gate, timing if bench else None) if recipe.quantize.search else None,
            helpers=helpers,
        )  # fmt: skip
        people = measure_people(sizes[0].evaluation, recipe.gate)
        sizes = place_all(sizes, asked, notify, helpers)
    student = read_summary(source)
    if student and original and bench:
        student = with_times(student, original, source, recipe.filter.sizes[0], threads, notify)
    document = _measured(sizes, threads, budget, notify) if bench else None
    left_out = unpaid(document) if document and not recipe.bundle.keep_slower else {}
    sizes = [_without(size, left_out) for size in sizes]
    verdicts = judge_all(document, budget) if document else []
    verdicts = [verdict for verdict in verdicts if verdict.artifact not in left_out]
    notify("bundle", 1, 1)
    spec = replace(
        bundle_spec(recipe, text, licenses, source, sizes, people),
        measurements=_measurements(document, sizes, student),
        report=lambda manifest: _report(manifest, document, verdicts, sizes, budget, people, student, left_out),
    )
    manifest = write(spec, path)
    uncompared = student if original is None else None
    return Build(
        path,
        manifest,
        document,
        tuple(verdicts),
        sizes[0].rewrite_choices,
        sizes[0].fronts,
        uncompared,
        _warnings(sizes),
        left_out,
    )


def _without(size: CompiledSize, left_out: Collection[str]) -> CompiledSize:
    return replace(size, artifacts=tuple(a for a in size.artifacts if a.spec.id not in left_out))


def _warnings(sizes: list[CompiledSize]) -> tuple[str, ...]:
    """Those of all sizes, each once."""
    return tuple(dict.fromkeys(warning for size in sizes for warning in size.warnings))


def _sources(
    recipe: Recipe, base: Path, generator: "nn.Module | str | None", threads: int, notify: Progress
) -> tuple[Source, Source | None]:
    """What is built, and the teacher that it was distilled from where the recipe asks for a student."""
    about = recipe.filter
    ranges, size = (about.input_range, about.output_range), about.generator_size
    signature = signature_of(about)
    if generator is None and recipe.compress is not None:
        return student_source(recipe, base, threads=threads, notify=notify), recipe_source(about, base)
    if generator is None or isinstance(generator, str):
        name = generator or about.source
        return resolve(
            name, base=base, architecture=about.architecture, ranges=ranges, size=size, signature=signature
        ), None
    return wrap(generator, about.name, ranges=ranges, size=size, signature=signature), None


def evaluations_of(recipe: Recipe, base: Path, source: Source, original: Source | None = None) -> list[Evaluation]:
    """One for each size; everything about sizes and pictures is checked here."""
    about, pictures = recipe.filter, recipe.pictures
    judge, calibrate, clip = (
        base / name if name else None for name in (pictures.judge, pictures.calibrate, pictures.clip)
    )
    labels = Labels(
        about.name, about.version, about.description, about.license, ", ".join(about.attribution) or "unknown"
    )
    return [
        Evaluation.prepare(source, read_eval_set(judge, *size, calibrate=calibrate, clip=clip), labels, original)
        for size in about.sizes
    ]


def _measured(sizes: list[CompiledSize], threads: int, budget: PerformanceBudget, notify: Progress) -> Document:
    """Measure every artifact on this machine.

    The same artifacts on the same machine are measured once; a run in which one failed, or that could not tell whether
    the budget holds, is not kept, so that building again measures again.
    """
    cases = [benchmark_case(size.evaluation, artifact, threads) for size in sizes for artifact in size.artifacts]
    settings = BenchmarkSettings()
    key = stage_key(
        artifacts=[[c.artifact, c.runtime, *(sha256(f) for f in artifact_files(c.path))] for c in cases],
        pictures=[size.evaluation.eval_set.digest() for size in sizes],
        settings=asdict(settings), threads=threads, host=machine(),
    )  # fmt: skip
    if entry := lookup("measurement", key):
        return Document.read(entry / "document.json")
    count = f"{len(cases)} artifacts in turn"
    document = measure(cases, settings, lambda p: notify(f"{p.stage} {count}", int(100 * p.share), 100))
    failed = any(result.failure for result in document.results)
    if not failed and overall(judge_all(document, budget)) != "unstable":
        cached("measurement", key, lambda folder: document.write(folder / "document.json"))
    return document


def _measurements(
    document: Document | None, sizes: list[CompiledSize], student: StudentSummary | None
) -> dict[str, str]:
    """Documents with times, which stay outside the bundle's hashes."""
    documents = {"local": document.to_json()} if document else {}
    if document and (checked := check_speedups(document)):
        documents["worth"] = speedups(checked)
    if sizes[0].rewrite_choices:
        documents["rewrites"] = rewrite_trials.to_json(sizes[0].rewrite_choices)
    if student:
        documents["student"] = student.to_json()
    if sizes[0].fronts:
        documents["plans"] = pareto.to_json(sizes[0].fronts)
    return documents


def _report(
    manifest: Manifest,
    document: Document | None,
    verdicts: list[BudgetVerdict],
    sizes: list[CompiledSize],
    budget: PerformanceBudget,
    people: People,
    student: StudentSummary | None,
    left_out: Mapping[str, str],
) -> str:
    from pocketlens.bench.report import ReportPicture, Section, render

    pictures = []
    for size in sizes:
        for artifact in size.artifacts:
            index = artifact.verification.worst_index
            pictures.append(
                ReportPicture(
                    artifact_id=artifact.spec.id,
                    label=size.evaluation.eval_set.names[index],
                    teacher=to_uint8(size.evaluation.expected_outputs[index][..., :3]),
                    artifact=artifact.verification.worst_picture[..., :3],
                    scores=artifact.verification.worst_scores,
                )
            )
    more = [*people_sections(people), *(section(front) for front in sizes[0].fronts)]
    if student:
        more = [*report_sections(student), *more]
    if left_out:
        text = "These files were made, verified and measured, and are not in the bundle: floats are faster here."
        more = [Section("Left out", text, ("file", "reason"), tuple(left_out.items())), *more]
    if warnings := _warnings(sizes):
        more = [Section("Warnings", " ".join(f"{warning}." for warning in warnings)), *more]
    return render(manifest, document, verdicts, pictures, budget, more)
