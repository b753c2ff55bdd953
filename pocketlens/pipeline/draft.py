"""From a recipe and its artifacts to what a bundle is written from."""

from operator import ge, le
from pathlib import Path

from pocketlens.bundle import licensing
from pocketlens.bundle.draft import ArtifactDraft, Draft, GoldenDraft
from pocketlens.bundle.manifest import Filter, Gate, Proof, Risk, Source
from pocketlens.converters.fp16_audit import Extent
from pocketlens.errors import InputError
from pocketlens.images import to_uint8
from pocketlens.models.source import Source as Generator
from pocketlens.pipeline.pictures import SHIPPED
from pocketlens.pipeline.produce import Produced
from pocketlens.pipeline.stages import Emitted, toolchain
from pocketlens.precisions import min_os
from pocketlens.recipe import Recipe
from pocketlens.runtimes.adapter import RUNTIMES

RISKS = 10
"""Risks of each size that the manifest names."""
GOLDENS = 2
"""Golden pictures of each size in a bundle."""
_PICTURES = "pictures.md"


def draft_of(recipe: Recipe, text: str, licenses: dict[str, str], source: Generator, made: list[Produced]) -> Draft:
    """Everything about a bundle that cannot be worked out from its files; ``licenses`` are from :func:`licenses_of`."""
    about = recipe.filter
    shipped = not recipe.pictures.judge
    origin = f"shipped with Pocketlens, see LICENSES/{_PICTURES}" if shipped else "given with the recipe"
    golden = tuple(
        GoldenDraft(
            picture, to_uint8(teacher), f"{name}, {origin}", f"see LICENSES/{_PICTURES}" if shipped else "unknown"
        )
        for one in made
        for name, picture, teacher in list(zip(one.judges.names, one.judges.pictures, one.teachers, strict=True))[
            :GOLDENS
        ]
    )
    return Draft(
        filter=Filter(
            name=about.name,
            version=about.version,
            description=about.description,
            license=about.license,
            commercial_use=None,
            attribution=about.attribution,
            architecture=about.architecture,
        ),
        source=Source(source.key, source.kind),
        artifacts=tuple(_artifact(emitted, recipe) for one in made for emitted in one.artifacts),
        golden=golden,
        recipe=text,
        toolchain=toolchain(),
        licenses=licenses,
        resize=about.resize,
        risks=tuple(_risk(risk, *one.judges.pictures[0].shape[:2]) for one in made for risk in one.risks[:RISKS]),
    )


def _risk(risk: Extent, height: int, width: int) -> Risk:
    return Risk(height, width, risk.node, risk.operator, risk.kind, float(f"{risk.largest:.4g}"))


def runtimes_of(path: Path) -> tuple[str, ...]:
    """Every runtime that plays an artifact, in order of preference."""
    return tuple(runtime.name for runtime in RUNTIMES.values() if path.suffix in runtime.suffixes)


def _artifact(emitted: Emitted, recipe: Recipe) -> ArtifactDraft:
    verified = emitted.verified
    gate, worst = recipe.gate, verified.worst
    least = (("psnr", gate.psnr, worst.psnr), ("ssim", gate.ssim, worst.ssim))
    most = (("flip", gate.flip, worst.flip), ("flicker", gate.flicker, verified.flicker))
    return ArtifactDraft(
        file=emitted.path,
        target=emitted.target,
        precision=emitted.precision,
        height=emitted.height,
        width=emitted.width,
        layout="NHWC" if emitted.target == "tflite" else "NCHW",
        dtype="image" if emitted.target == "coreml" else "float32",
        runtimes=runtimes_of(emitted.path),
        scores=verified.worst,
        flicker=verified.flicker,
        verified_with=Proof(verified.facts["runtime"], verified.facts["version"], verified.facts["precision"]),
        golden_psnr=verified.golden_psnr,
        gates=tuple(
            Gate(name, limit, actual, "pass" if holds(actual, limit) else "fail")
            for asked, holds in ((least, ge), (most, le))
            for name, limit, actual in asked
            if limit is not None and actual is not None
        ),
        min_os=min_os(emitted.target, emitted.precision),
        rewrites=emitted.rewrites,
    )


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
