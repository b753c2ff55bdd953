"""``BundleSpec``: everything that a bundle is written from. What can be computed from it, ``write`` computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pocketlens.bundle.manifest import Failed, FilterInfo, GateResult, Manifest, PlanInfo, Proof, Risk, SourceInfo
from pocketlens.images import Picture
from pocketlens.placement import Placement
from pocketlens.quality import Scores
from pocketlens.targets import ArtifactSpec


@dataclass(frozen=True)
class ArtifactEntry:
    """An artifact on disk and what the manifest says of it.

    For the fields that are not listed see :class:`pocketlens.bundle.manifest.Artifact`.

    Attributes:
        file: Its file or folder, with the files that belong to it beside it.
        spec: Its target, precision and size.
    """

    file: Path
    spec: ArtifactSpec
    scores: Scores
    verified_with: Proof
    golden_psnr: float
    gates: tuple[GateResult, ...] = ()
    min_runtime: str = ""
    rewrites: tuple[str, ...] = ()
    flicker: float | None = None
    styles: Mapping[str, Scores] = field(default_factory=dict)
    plan: PlanInfo | None = None
    placements: tuple[Placement, ...] = ()
    note: str = ""

    @property
    def path(self) -> str:
        """Where it lies in the bundle."""
        return f"artifacts/{self.spec.filename}"


@dataclass(frozen=True)
class GoldenEntry:
    """A golden picture: the input and the teacher's output for it, both ``uint8 [H, W, 3]`` and of one size.

    Attributes:
        picture: The input.
        expected: The teacher's output.
        source: Where the picture comes from.
        license: The picture's licence.
        style: Of a pack, the style that the teacher's output is in.
    """

    picture: Picture
    expected: Picture
    source: str
    license: str
    style: str = ""


@dataclass(frozen=True)
class BundleSpec:
    """The content of a bundle before it is written.

    Attributes:
        filter: ``license`` in any SPDX spelling; ``commercial_use`` None to have it worked out from the licence.
        source: What the generator was read from.
        artifacts: At least one; the first one's size is the bundle's default.
        golden: At least one picture of each artifact's size.
        recipe: The text of the recipe.
        toolchain: The libraries that made the artifacts, as their package index names them, with their versions.
        licenses: Licence texts: file name in ``LICENSES/`` to text.
        resize: How a picture of another size is made to fit.
        risks: What half precision may not hold.
        failed: The artifacts that were asked for and could not be made.
        styles: The names of a pack's styles.
        factor: How many times larger than the picture that goes in the one is that comes out.
        second: Whether a second picture goes in.
        states: How many states are kept between frames.
        alpha: Whether an alpha comes out.
        web: Whether the bundle holds the page that plays it in a browser.
        measurements: Documents: name without ``.json`` to text. They are outside the content and its hashes.
        report: Draws the report, an HTML page, from the finished manifest; outside the content too.
    """

    filter: FilterInfo
    source: SourceInfo
    artifacts: tuple[ArtifactEntry, ...]
    golden: tuple[GoldenEntry, ...]
    recipe: str
    toolchain: Mapping[str, str]
    licenses: Mapping[str, str] = field(default_factory=dict)
    resize: Literal["stretch", "fit", "crop", "tile"] = "stretch"
    risks: tuple[Risk, ...] = ()
    failed: tuple[Failed, ...] = ()
    styles: tuple[str, ...] = ()
    factor: float = 1.0
    second: bool = False
    states: int = 0
    alpha: bool = False
    web: bool = False
    measurements: Mapping[str, str] = field(default_factory=dict, repr=False)
    report: Callable[[Manifest], str] | None = field(default=None, repr=False)
