"""From a recipe and its artifacts to what a bundle is written from."""

from collections.abc import Sequence
from pathlib import Path

from pocketlens.bundle import licensing
from pocketlens.bundle.manifest import Failed, FilterInfo, PlanInfo, PlanRule, Proof, Risk, SourceInfo
from pocketlens.bundle.spec import ArtifactEntry, BundleSpec, GoldenEntry
from pocketlens.converters.fp16_audit import Extent
from pocketlens.errors import InputError
from pocketlens.files import regular
from pocketlens.images import to_uint8
from pocketlens.models.source import Source
from pocketlens.pipeline.compile import CompiledSize
from pocketlens.pipeline.eval_set import BLENDED, SHIPPED, EvalSet, pure
from pocketlens.pipeline.gates import gates_of
from pocketlens.pipeline.people import People
from pocketlens.pipeline.stage_key import toolchain
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.quality import Scores, worst
from pocketlens.recipe import Recipe

RISKS = 10
"""Risks of each size that the manifest names."""
GOLDENS = 2
"""Golden pictures of each size in a bundle."""
_PICTURES = "pictures.md"
_MAX_LICENSE_BYTES = 1_000_000
"""Largest text of a licence that goes into a bundle; the GPL has 35,000."""


def bundle_spec(
    recipe: Recipe,
    text: str,
    licenses: dict[str, str],
    source: Source,
    sizes: Sequence[CompiledSize],
    people: People,
) -> BundleSpec:
    """Everything about a bundle that cannot be worked out from its files; ``licenses`` are from :func:`licenses_of`."""
    about = recipe.filter
    return BundleSpec(
        filter=FilterInfo(
            name=about.name,
            version=about.version,
            description=about.description,
            license=about.license,
            commercial_use=None,
            attribution=about.attribution,
            architecture=about.architecture,
        ),
        source=SourceInfo(source.key, source.kind),
        artifacts=tuple(
            _artifact(artifact, recipe, _scores_by_style(size.evaluation.eval_set, artifact, source.styles), people)
            for size in sizes
            for artifact in size.artifacts
        ),
        golden=_golden(sizes, source.styles, shipped=not recipe.pictures.judge),
        recipe=text,
        toolchain=toolchain(),
        licenses=licenses,
        resize=about.resize,
        styles=source.styles,
        factor=_factor(sizes),
        second=bool(source.signature.second),
        states=len(source.signature.states),
        alpha=bool(source.signature.alpha),
        failed=tuple(Failed(**failed.document()) for size in sizes for failed in size.failed),
        web=recipe.bundle.web,
        risks=tuple(_risk(risk, *size.evaluation.size) for size in sizes for risk in size.risks[:RISKS]),
    )


def _factor(sizes: Sequence[CompiledSize]) -> float:
    evaluation = next(size for size in sizes if size.artifacts).evaluation
    return float(evaluation.teacher_outputs[0].shape[0]) / evaluation.size[0]


def _golden(sizes: Sequence[CompiledSize], styles: Sequence[str], *, shipped: bool) -> tuple[GoldenEntry, ...]:
    """The first few pictures of each size with what the source makes of them; of a pack the first one in each style."""
    origin = f"shipped with Pocketlens, see LICENSES/{_PICTURES}" if shipped else "given with the recipe"
    license = f"see LICENSES/{_PICTURES}" if shipped else "unknown"
    entries = []
    for size in sizes:
        if not size.artifacts:
            continue
        pictures, outputs = size.evaluation.eval_set, size.evaluation.teacher_outputs
        if styles:
            chosen = [(pictures.styles.index(pure(i, len(styles))), style) for i, style in enumerate(styles)]
        else:
            chosen = [(i, "") for i in range(min(GOLDENS, len(pictures.pictures)))]
        entries += [
            GoldenEntry(pictures.pictures[i], to_uint8(outputs[i]), f"{pictures.names[i]}, {origin}", license, style)
            for i, style in chosen
        ]
    return tuple(entries)


def _scores_by_style(pictures: EvalSet, artifact: VerifiedArtifact, styles: Sequence[str]) -> dict[str, Scores]:
    """The worst scores of each style, and of the blend of all."""
    names = {pure(i, len(styles)): name for i, name in enumerate(styles)}
    scores_of: dict[str, list[Scores]] = {}
    if not pictures.styles:
        return {}
    for i, scores in zip(artifact.verification.played, artifact.verification.scores, strict=True):
        scores_of.setdefault(names.get(pictures.styles[i], BLENDED), []).append(scores)
    return {name: worst(scores) for name, scores in scores_of.items()}


def _risk(risk: Extent, height: int, width: int) -> Risk:
    return Risk(height, width, risk.node, risk.operator, risk.kind, float(f"{risk.largest:.4g}"))


def _artifact(artifact: VerifiedArtifact, recipe: Recipe, styles: dict[str, Scores], people: People) -> ArtifactEntry:
    verification, spec = artifact.verification, artifact.spec
    by_style = [gates_of(scores, verification.flicker, recipe.gate, name) for name, scores in styles.items()]
    gates = sum(by_style, ()) if styles else gates_of(verification.worst, verification.flicker, recipe.gate)
    return ArtifactEntry(
        file=artifact.path,
        spec=spec,
        scores=verification.worst,
        flicker=verification.flicker,
        verified_with=Proof(
            verification.runtime_info.runtime, verification.runtime_info.version, verification.runtime_info.precision
        ),
        golden_psnr=verification.golden_psnr,
        gates=gates + people.gates,
        styles=styles,
        rewrites=artifact.rewrites,
        plan=_plan(artifact),
        placements=artifact.placements,
        note=artifact.note,
    )


def _plan(artifact: VerifiedArtifact) -> PlanInfo | None:
    plan = artifact.plan
    if plan is None:
        return None
    rules = tuple(PlanRule(rule.setting, rule.match, rule.operator) for rule in plan.rules)
    if artifact.spec.arithmetic.quantizes == "weights":
        return PlanInfo(rules)
    return PlanInfo(rules, plan.ranges, plan.equalize, plan.correct_bias)


def licenses_of(recipe: Recipe, base: Path) -> dict[str, str]:
    """The texts of licences that go into the bundle, by file name; ``base`` is the recipe's folder.

    Raises:
        InputError: The licence is no SPDX expression, or its text cannot be read.
        MissingError: license-expression is not installed.
    """
    licensing.check(recipe.filter.license)
    texts = {}
    if recipe.filter.license_file:
        path = base / recipe.filter.license_file
        try:
            if regular(path).stat().st_size > _MAX_LICENSE_BYTES:
                raise InputError(
                    f"filter.license_file {path} is larger than {_MAX_LICENSE_BYTES:,} bytes", do="give the text alone"
                )
            texts["FILTER.txt"] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"filter.license_file {path} cannot be read: {error}", do="check the path") from error
    if not recipe.pictures.judge:
        texts[_PICTURES] = (SHIPPED / "LICENSES.md").read_text("utf-8")
    return texts
