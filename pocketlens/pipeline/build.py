"""``build``: a recipe in, a verified bundle with its measurements and report out."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.bench.budget import Budget, BudgetVerdict, judge_all, overall
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from pocketlens.bench.speedup_check import check_speedups, to_json
from pocketlens.bundle.manifest import Manifest
from pocketlens.bundle.write import check_place, write
from pocketlens.converters.emitter import Labels
from pocketlens.files import artifact_files, cached, is_cached, key_of, sha256
from pocketlens.images import to_uint8
from pocketlens.models.source import resolve, wrap
from pocketlens.pipeline import stages
from pocketlens.pipeline.against import against
from pocketlens.pipeline.budgets import budget_from
from pocketlens.pipeline.choosing import Timing
from pocketlens.pipeline.commands.distill import compressed_source, source_of
from pocketlens.pipeline.draft import draft_of, licenses_of
from pocketlens.pipeline.front import Front
from pocketlens.pipeline.front import table as plans
from pocketlens.pipeline.front_page import section
from pocketlens.pipeline.pictures import judges
from pocketlens.pipeline.produce import Notify, Produced, produce
from pocketlens.pipeline.rewriting import Choice, check
from pocketlens.pipeline.searching import Search
from pocketlens.pipeline.student_summary import StudentSummary, read_summary, report_sections, with_times
from pocketlens.pipeline.subjects import subject_of
from pocketlens.pipeline.trials import Chosen, table
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
        choices: How the rewrites of each target were chosen, where they were measured.
        fronts: What was found where an artifact in fewer bits missed the gate.
        student: Where the source is a student that was made before: what it is beside its teacher, with which nothing
            here was compared.
    """

    path: Path
    manifest: Manifest
    document: Document | None
    verdicts: tuple[BudgetVerdict, ...]
    choices: tuple[Chosen, ...] = ()
    fronts: tuple[Front, ...] = ()
    student: StudentSummary | None = None

    @property
    def verdict(self) -> str:
        """``pass`` if every gate and budget holds, else ``fail`` or ``unstable``."""
        failed = self.document is not None and any(result.failure for result in self.document.subjects)
        if self.manifest.verdict == "fail" or failed:
            return "fail"
        found = overall(self.verdicts)
        return "pass" if found == "not measured" else found


def build(
    recipe: Recipe | Path | str,
    output: Path | str | None = None,
    *,
    generator: "nn.Module | str | None" = None,
    bench: bool = True,
    threads: int = THREADS,
    rewrites: Choice | None = None,
    notify: Notify = lambda what, done, total: None,
) -> Build:
    """Build a bundle.

    Args:
        recipe: A recipe, or the path of one. Paths in it are relative to its folder, or to the current one.
        output: Where to write the bundle: a folder, or a ``.zip``; ``NAME.bundle`` if left out. An older bundle there is
            replaced, anything else is not.
        generator: A torch module to use instead of the recipe's ``source``, or ``"module:factory"``. Its ``input_range``
            and ``output_range`` are taken from the recipe, else from attributes of these names, else 0..255.
        bench: Measure the artifacts on this machine and judge the budget.
        threads: To measure with.
        rewrites: Which rewrites each target gets, instead of the recipe's; see :mod:`pocketlens.pipeline.rewriting`.
        notify: Told about progress.

    Returns:
        The bundle's path, manifest, measurement and verdicts. A missed gate or budget is a verdict, not an error.

    Raises:
        InputError: The recipe, a picture or the generator is wrong, or the output cannot be written.
        UnsupportedError: A target cannot express an operator; nothing is written.
        VerificationError: A file does not compute what the teacher computes; nothing is written.

    Example:
        >>> import pocketlens
        >>> made = pocketlens.build("wave.toml", "wave.bundle", bench=False)
        >>> made.verdict
        'pass'
    """
    if isinstance(recipe, Recipe):
        base, text = Path.cwd(), recipe.text()
    else:
        base, file = Path(recipe).parent, Path(recipe)
        recipe = Recipe.read(file)
        text = file.read_text("utf-8-sig")
    path = Path(output) if output is not None else Path(f"{recipe.filter.name}.bundle")
    check_place(path)
    licenses = licenses_of(recipe, base)  # what can be wrong is found before the work, not after it
    budget = budget_from(recipe.budget.model_dump(exclude_none=True))
    about = recipe.filter
    ranges = (about.input_range, about.output_range)
    if generator is None and recipe.compress is not None:
        source = compressed_source(recipe, base, threads=threads, notify=notify)
    elif generator is None or isinstance(generator, str):
        source = resolve(
            generator or about.source, base=base, architecture=about.architecture, ranges=ranges, size=about.sizes[0]
        )
    else:
        source = wrap(generator, about.name, ranges=ranges, size=about.sizes[0])
    labels = Labels(
        about.name, about.version, about.description, about.license, ", ".join(about.attribution) or "unknown"
    )
    folder = base / recipe.pictures.judge if recipe.pictures.judge else None
    calibrate, clip = (base / given if given else None for given in (recipe.pictures.calibrate, recipe.pictures.clip))
    judged = [judges(folder, *size, calibrate=calibrate, clip=clip) for size in about.sizes]
    chosen = check(recipe.rewrites.keep if rewrites is None else rewrites)
    timing, wanted = Timing(threads=threads), recipe.targets.chosen()
    summary = read_summary(source)
    teacher = source_of(about, base) if generator is None and recipe.compress is not None else None
    made = produce(
        source, labels, wanted, judged, notify, rewrites=chosen, timing=timing, quantize=recipe.quantize,
        search=Search(recipe.gate, timing if bench else None, teacher=teacher) if recipe.quantize.search else None,
    )  # fmt: skip
    if teacher is not None:
        made = against(teacher, made, notify)
        if summary and bench:
            summary = with_times(summary, teacher, source, about.sizes[0], threads, notify)
    document = _measured(made, threads, budget, notify) if bench else None
    verdicts = judge_all(document, budget) if document else []
    notify("bundle", 1, 1)
    draft = replace(
        draft_of(recipe, text, licenses, source, made),
        measurements=_measurements(document, made, summary),
        report=lambda manifest: _report(manifest, document, verdicts, made, budget, summary),
    )
    manifest = write(draft, path)
    alone = summary if teacher is None else None
    return Build(path, manifest, document, tuple(verdicts), made[0].choices, made[0].fronts, alone)


def _measured(made: list[Produced], threads: int, budget: Budget, notify: Notify) -> Document:
    """Measure every artifact on this machine.

    The same artifacts on the same machine are measured once; a run in which one failed, or that could not tell whether the
    budget holds, is not kept, so that building again measures again.
    """
    subjects = [subject_of(emitted, one.judges, one.teachers, threads) for one in made for emitted in one.artifacts]
    settings = BenchmarkSettings()
    key = key_of(
        artifacts=[[s.artifact, s.runtime, *(sha256(f) for f in artifact_files(s.path))] for s in subjects],
        pictures=[one.judges.digest() for one in made],
        settings=asdict(settings), threads=threads, host=stages.machine(), code=stages.code(), tools=stages.toolchain(),
    )  # fmt: skip
    if is_cached("measurement", key):
        return Document.read(cached("measurement", key, lambda folder: None) / "document.json")
    count = f"{len(subjects)} artifacts in turn"
    document = measure(subjects, settings, lambda p: notify(f"{p.stage} {count}", int(100 * p.share), 100))
    failed = any(result.failure for result in document.subjects)
    if not failed and overall(judge_all(document, budget)) != "unstable":
        cached("measurement", key, lambda folder: document.write(folder / "document.json"))
    return document


def _measurements(document: Document | None, made: list[Produced], summary: StudentSummary | None) -> dict[str, str]:
    """Documents with times, which stay outside the bundle's hashes."""
    found = {"local": document.to_json()} if document else {}
    if document and (judged := check_speedups(document)):
        found["worth"] = to_json(judged)
    if made[0].choices:
        found["rewrites"] = table(made[0].choices)
    if summary:
        found["student"] = summary.to_json()
    if made[0].fronts:
        found["plans"] = plans(made[0].fronts)
    return found


def _report(
    manifest: Manifest,
    document: Document | None,
    verdicts: list[BudgetVerdict],
    made: list[Produced],
    budget: Budget,
    summary: StudentSummary | None = None,
) -> str:
    from pocketlens.bench.report import ReportPicture, render

    pictures = []
    for one in made:
        for emitted in one.artifacts:
            index = emitted.verified.worst_index
            pictures.append(
                ReportPicture(
                    artifact_id=emitted.id,
                    label=one.judges.names[index],
                    teacher=to_uint8(one.references[index]),
                    artifact=emitted.verified.worst_picture,
                    scores=emitted.verified.scores[index],
                )
            )
    more = [*(report_sections(summary) if summary else ()), *(section(front) for front in made[0].fronts)]
    return render(manifest, document, verdicts, pictures, budget, more)
