"""From a recipe and its artifacts to what a bundle is written from."""

from collections.abc import Sequence
from pathlib import Path

from pocketlens.bundle import licensing
from pocketlens.bundle.manifest import FilterInfo, PlanInfo, PlanRule, Proof, Risk, SourceInfo
from pocketlens.bundle.spec import ArtifactEntry, BundleSpec, GoldenEntry
from pocketlens.converters.fp16_audit import Extent
from pocketlens.errors import InputError
from pocketlens.images import to_uint8
from pocketlens.models.source import Source as Generator
from pocketlens.pipeline.gates import gates_of
from pocketlens.pipeline.pictures import BLENDED, SHIPPED, pure
from pocketlens.pipeline.produce import Produced
from pocketlens.pipeline.stages import Emitted, toolchain
from pocketlens.precisions import PRECISIONS
from pocketlens.quality import Scores, worst
from pocketlens.recipe import Recipe
from pocketlens.targets import ArtifactSpec

RISKS = 10
"""Risks of each size that the manifest names."""
GOLDENS = 2
"""Golden pictures of each size in a bundle."""
_PICTURES = "pictures.md"


def draft_of(
    recipe: Recipe, text: str, licenses: dict[str, str], source: Generator, made: list[Produced]
) -> BundleSpec:
    """Everything about a bundle that cannot be worked out from its files; ``licenses`` are from :func:`licenses_of`."""
    about = recipe.filter
    shipped = not recipe.pictures.judge
    origin = f"shipped with Pocketlens, see LICENSES/{_PICTURES}" if shipped else "given with the recipe"
    terms = f"see LICENSES/{_PICTURES}" if shipped else "unknown"
    golden = tuple(
        GoldenEntry(one.judges.pictures[i], to_uint8(one.teachers[i]), f"{one.judges.names[i]}, {origin}", terms, style)
        for one in made
        for i, style in _golden(one, source.styles)
    )
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
            _artifact(emitted, recipe, _by_style(one, emitted, source.styles))
            for one in made
            for emitted in one.artifacts
        ),
        golden=golden,
        recipe=text,
        toolchain=toolchain(),
        licenses=licenses,
        resize=about.resize,
        styles=source.styles,
        risks=tuple(_risk(risk, *one.judges.pictures[0].shape[:2]) for one in made for risk in one.risks[:RISKS]),
    )


def _golden(one: Produced, styles: Sequence[str]) -> list[tuple[int, str]]:
    """Which judge pictures are golden, and in what style: the first few; of a pack the first in each style."""
    if not styles:
        return [(i, "") for i in range(min(GOLDENS, len(one.judges.pictures)))]
    return [(one.judges.styles.index(pure(i, len(styles))), name) for i, name in enumerate(styles)]


def _by_style(one: Produced, emitted: Emitted, styles: Sequence[str]) -> dict[str, Scores]:
    """The worst scores of each style, and of the blend of all."""
    names = {pure(i, len(styles)): name for i, name in enumerate(styles)}
    found: dict[str, list[Scores]] = {}
    for style, scores in zip(one.judges.styles, emitted.verified.scores, strict=False):
        found.setdefault(names.get(style, BLENDED), []).append(scores)
    return {name: worst(scores) for name, scores in found.items()}


def _risk(risk: Extent, height: int, width: int) -> Risk:
    return Risk(height, width, risk.node, risk.operator, risk.kind, float(f"{risk.largest:.4g}"))


def _artifact(emitted: Emitted, recipe: Recipe, styles: dict[str, Scores]) -> ArtifactEntry:
    verified, spec = emitted.verified, ArtifactSpec(emitted.target, emitted.precision, (emitted.height, emitted.width))
    info = verified.runtime_info
    each = [gates_of(scores, verified.flicker, recipe.gate, name) for name, scores in styles.items()]
    return ArtifactEntry(
        file=emitted.path,
        spec=spec,
        scores=verified.worst,
        flicker=verified.flicker,
        verified_with=Proof(info.runtime, info.version, info.precision),
        golden_psnr=verified.golden_psnr,
        gates=sum(each, ()) if styles else gates_of(verified.worst, verified.flicker, recipe.gate),
        styles=styles,
        rewrites=emitted.rewrites,
        plan=_plan(emitted),
    )


def _plan(emitted: Emitted) -> PlanInfo | None:
    plan = emitted.plan
    if plan is None:
        return None
    rules = tuple(PlanRule(rule.setting, rule.match, rule.operator) for rule in plan.rules)
    if PRECISIONS[emitted.precision].quantizes == "weights":
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
            texts["FILTER.txt"] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"filter.license_file {path} cannot be read: {error}", do="check the path") from error
    if not recipe.pictures.judge:
        texts[_PICTURES] = (SHIPPED / "LICENSES.md").read_text("utf-8")
    return texts
