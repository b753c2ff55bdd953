"""``manifest.json``: its definition. The JSON Schema beside this file is generated from here."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import field
from pathlib import PurePosixPath
from typing import Literal

from pocketlens.bundle import paths, typed
from pocketlens.errors import InputError
from pocketlens.origin import Origin
from pocketlens.placement import Placement
from pocketlens.quality import Scores
from pocketlens.quick_dataclass import dataclass
from pocketlens.targets import TARGETS

NAME = "manifest.json"
HISTORY = {
    "1.0": "filter, source, io, artifacts, golden, verdict, recipe_sha256, toolchain, files",
    "1.1": "scores.flip; added later under the same version: "
    "rewrites and flicker of an artifact, risks, and the values fit, "
    "crop and tile of io.resize",
    "1.2": "style packs: io.styles, styles of an artifact, style of a gate and of a golden picture",
    "1.3": "plan of an artifact: which layers are quantized, and how",
    "1.4": "placements of an artifact: which accelerators compute it, and how that is known; failed, and note of an "
    "artifact; what goes in and comes out beside one picture of one size: io.factor, io.second, io.states, io.alpha",
}
"""Each version of the manifest and the fields that it added. Every field added since 1.0 has a default, so that bundles
of all these versions are read; ``tests/data/bundles/`` holds one of each."""
SCHEMA = "1.4"
"""The version that is written. The minor part grows when fields are added, the major part when old readers must
stop.
"""
MAX_BYTES = 4_000_000
MEASUREMENTS = "measurements/"
REPORT = "report.html"
"""Both are outside the content and its hashes: they hold times, which differ each time."""

Verdict = Literal["pass", "fail"]
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUFFIXES_BESIDE = {target.suffix: target.beside for target in TARGETS.values() if not target.chips}
_REMAKE = "get the bundle again, or build it again"


@dataclass(frozen=True)
class FilterInfo:
    """The filter, as the app developer calls it.

    Attributes:
        name: Its name.
        version: Its version.
        description: One sentence for people.
        license: SPDX expression.
        commercial_use: Whether the licence allows commercial use; null if that cannot be told from the expression.
        attribution: Who must be named, one line each.
        architecture: The generator's architecture, or empty if it came as a graph.
    """

    name: str
    version: str
    description: str
    license: str
    commercial_use: bool | None
    attribution: tuple[str, ...]
    architecture: str

    @property
    def origin(self) -> Origin:
        """What pictures of the filter say of where they come from."""
        return Origin(self.name, self.version, self.license, self.attribution)


@dataclass(frozen=True)
class SourceInfo:
    """The file that the generator was read from.

    Attributes:
        sha256: Its SHA-256, in hex.
        kind: Its kind: npz, pt, safetensors, onnx, hf, module, builtin.
    """

    sha256: str
    kind: str


@dataclass(frozen=True)
class Io:
    """The picture input and output, which are the same in every artifact.

    Attributes:
        channels: The order of the colours.
        range: The smallest and largest value of a pixel, in input and output.
        sizes: The sizes of the artifacts, height and width; the first is the default.
        input: Name of the input.
        output: Name of the output.
        resize: How a picture of another size is made to fit.
        styles: The names of a pack's styles, in the order of the weights in its input named style; empty where there is
            one style and no such input.
        factor: How many times larger than the picture that goes in the one is that comes out.
        second: Whether there is an input ``second``: another picture or a mask, float32, 0..255.
        states: How many states there are: inputs ``state_0`` and so on, zeros for the first frame, then what
            the outputs ``next_0`` and so on gave for the frame before.
        alpha: Whether there is an output ``alpha``, float32, 0..255.
    """

    sizes: tuple[tuple[int, int], ...]
    channels: Literal["RGB"] = "RGB"
    range: tuple[float, float] = (0.0, 255.0)
    input: str = "image"
    output: str = "stylized"
    resize: Literal["stretch", "fit", "crop", "tile"] = "stretch"
    styles: tuple[str, ...] = ()
    factor: float = field(default=1.0, metadata=typed.bounds(1 / 64, 64))
    second: bool = False
    states: int = field(default=0, metadata=typed.bounds(0, 64))
    alpha: bool = False


@dataclass(frozen=True)
class Proof:
    """The runtime that played the artifact when it was compared with the teacher.

    Attributes:
        runtime: Name of the runtime.
        version: Its version.
        precision: The precision in which it really computed.
    """

    runtime: str
    version: str
    precision: str


@dataclass(frozen=True)
class GateResult:
    """A limit on a score of the picture, and the result.

    Attributes:
        name: The score, for instance ssim.
        limit: The limit that the recipe sets.
        actual: The score of the worst evaluation picture.
        verdict: Whether the score is within the limit.
        style: Of a pack, the style that was scored.
    """

    name: str
    limit: float
    actual: float
    verdict: Verdict
    style: str = ""


@dataclass(frozen=True)
class PlanRule:
    """How some layers compute.

    Attributes:
        setting: float, or the precision in which they are quantized.
        match: A regular expression, searched in the names of a layer, its weights and its output; empty for all.
        operator: Only layers of this ONNX operator; empty for all.
    """

    setting: str
    match: str
    operator: str


@dataclass(frozen=True)
class PlanInfo:
    """How a quantized artifact was made. A recipe's [quantize] has the same keys.

    Attributes:
        rules: In order; the last that fits a layer wins.
        ranges: How the ranges of activations were found; null where activations are not quantized.
        equalize: How far channels were equalized, 0 to 1; null where activations are not quantized.
        correct_bias: Whether biases were corrected for the mean error of quantized weights; null where activations are
            not quantized.
    """

    rules: tuple[PlanRule, ...]
    ranges: str | None = None
    equalize: float | None = None
    correct_bias: bool | None = None


@dataclass(frozen=True)
class Artifact:
    """One file or folder that a runtime plays.

    Attributes:
        id: Target, precision, size and chip, for instance tflite-fp16-256x256 or qnn-fp16-256x256-sm8650.
        target: The format: onnx, openvino, tflite, coreml, qnn.
        precision: fp32, fp16, w8, int8 and so on.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        path: Relative to the bundle. For OpenVINO the .xml, for a chip the .onnx; its .bin lies beside it. For Core ML
            a folder.
        bytes: Size of all its files.
        sha256: Of the file; for several files of their sorted 'digest  name' lines, names relative to the folder.
        layout: Order of the axes of its picture input and output.
        dtype: Number type of its picture input and output.
        runtimes: The runtimes that play it.
        min_os: The oldest system that plays it, for instance iOS 16; empty if any does.
        min_runtime: The oldest runtime that plays it; empty if not known.
        scores: Against the teacher, the worst over the evaluation pictures.
        verified_with: The runtime that played it for these scores.
        golden_psnr: The least PSNR in dB of its uint8 pictures against each golden picture: the tolerance of verify.
        gates: The limits that the recipe sets, with the results.
        rewrites: The exact graph rewrites that changed its graph, in order.
        flicker: Change between the worst two frames of a clip beyond the teacher's own, in values of 0..255; null where
            nothing is quantized, or no clip was played.
        styles: Of a pack, the scores of each style, and of an even blend of all as "blended".
        plan: How its layers compute; null where nothing is quantized, or training decided.
        placements: How accelerators compute it.
        note: Why it is not in the form that was asked for, for instance without a rewrite; or empty.
    """

    id: str
    target: str
    precision: str
    height: int
    width: int
    path: str
    bytes: int
    sha256: str
    layout: Literal["NCHW", "NHWC"]
    dtype: str
    runtimes: tuple[str, ...]
    min_os: str
    min_runtime: str
    scores: Scores
    verified_with: Proof
    golden_psnr: float
    gates: tuple[GateResult, ...]
    rewrites: tuple[str, ...] = ()
    flicker: float | None = None
    styles: dict[str, Scores] = field(default_factory=dict)
    plan: PlanInfo | None = None
    placements: tuple[Placement, ...] = ()
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether every gate holds."""
        return verdict(self.gates)


@dataclass(frozen=True)
class Failed:
    """An artifact that the recipe asks for and that is not in the bundle.

    Attributes:
        id: Target, precision and size, for instance tflite-fp16-256x256.
        reason: Why it could not be made.
        do: The next step, as an instruction.
    """

    id: str
    reason: str
    do: str


@dataclass(frozen=True)
class Golden:
    """A picture and the teacher's output for it.

    Attributes:
        picture: Path of the input picture.
        expected: Path of the teacher's output.
        height: In pixels.
        width: In pixels.
        source: Where the picture comes from.
        license: The picture's licence.
        style: Of a pack, the style of the teacher's output.
    """

    picture: str
    expected: str
    height: int
    width: int
    source: str
    license: str
    style: str = ""


@dataclass(frozen=True)
class Risk:
    """A value of the graph that may overflow in half precision, found on calibration pictures.

    Attributes:
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        node: Name of the node in the graph.
        operator: Its operator.
        kind: value: its output; square, sum, squares: inside a norm or mean; accumulation: partial sums of products.
        largest: The largest magnitude; fp16 ends at 65504.
    """

    height: int
    width: int
    node: str
    operator: str
    kind: str
    largest: float


@dataclass(frozen=True)
class Manifest:
    """The content of a bundle.

    Attributes:
        schema: Version of this document, major.minor.
        filter: The filter.
        source: The file that the generator was read from.
        io: The picture input and output, which are the same in every artifact.
        artifacts: The files that runtimes play.
        golden: Pictures with the teacher's outputs.
        verdict: Whether every gate of every artifact that is here holds.
        recipe_sha256: Of recipe.toml.
        toolchain: The libraries that made it, with their versions.
        files: The SHA-256 of every file of the content: of all files but this one, measurements/ and report.html.
        risks: Values that may overflow in half precision, at most 10 for each size, values before sums, the largest
            first.
        failed: The artifacts that the recipe asks for and that could not be made.
    """

    schema: str
    filter: FilterInfo
    source: SourceInfo
    io: Io
    artifacts: tuple[Artifact, ...]
    golden: tuple[Golden, ...]
    verdict: Verdict
    recipe_sha256: str
    toolchain: dict[str, str]
    files: dict[str, str] = field(repr=False)
    risks: tuple[Risk, ...] = ()
    failed: tuple[Failed, ...] = ()

    @property
    def content_sha256(self) -> str:
        """One digest of the whole content; measurements do not change it."""
        return _digest_of_lines(self.files.items())

    def files_of(self, artifact: Artifact) -> dict[str, str]:
        """The SHA-256 of each of an artifact's files: path in the bundle to digest."""
        return files_of(artifact.path, self.files)

    def to_json(self) -> str:
        """The document. It is the same text for the same manifest."""
        ordered = dataclasses.asdict(self)
        ordered["toolchain"] = dict(sorted(self.toolchain.items()))
        ordered["files"] = dict(sorted(self.files.items()))
        return json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def verdict(gates: tuple[GateResult, ...]) -> Verdict:
    """Whether every gate holds."""
    return "pass" if all(gate.verdict == "pass" for gate in gates) else "fail"


def files_of(path: str, files: dict[str, str]) -> dict[str, str]:
    """Those of ``files`` that belong to the artifact at ``path``: itself, the files beside it, or a folder's files."""
    names = {path, *_beside(path)}
    return {n: digest for n, digest in sorted(files.items()) if n in names or n.startswith(f"{path}/")}


def _beside(path: str) -> list[str]:
    """The paths of the files that belong to an artifact and lie beside it."""
    return [path.removesuffix(PurePosixPath(path).suffix) + suffix for suffix in suffixes_beside(path)]


def suffixes_beside(path: str) -> tuple[str, ...]:
    """The suffixes of the files that belong to an artifact and lie beside it.

    Example:
        >>> suffixes_beside("artifacts/openvino-fp32-64x64.xml"), suffixes_beside("artifacts/onnx-fp32-64x64.onnx")
        (('.bin',), ())
    """
    file = PurePosixPath(path)
    target = TARGETS.get(file.name.partition("-")[0])  # several targets have files of one suffix
    if target is not None and target.suffix == file.suffix:
        return target.beside
    return _SUFFIXES_BESIDE.get(file.suffix, ())


def digest(path: str, files: dict[str, str]) -> str:
    """The SHA-256 of the artifact at ``path``, from those of its files; see :class:`Artifact`."""
    digests = files_of(path, files)
    if set(digests) == {path}:
        return digests[path]
    base = f"{path}/" if path not in digests else path.rpartition("/")[0] + "/"
    return _digest_of_lines((name.removeprefix(base), digest) for name, digest in digests.items())


def _digest_of_lines(items: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in sorted(items)).encode()).hexdigest()


def parse(text: str) -> Manifest:
    """Read a manifest and check it.

    Raises:
        InputError: It is no JSON, a field is wrong, a path leads out of the bundle, parts contradict each other, or a
            newer pocketlens made it.
    """
    if len(text.encode()) > MAX_BYTES:
        raise InputError(f"{NAME} is larger than {MAX_BYTES:,} bytes", do=_REMAKE)
    data = typed.parse(text, NAME)
    version = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", version):
        raise InputError(f"{NAME}: schema is {str(version)[:40]!r}, expected 'major.minor'", do=_REMAKE)
    if int(version.split(".")[0]) > int(SCHEMA.split(".", maxsplit=1)[0]):
        raise InputError(
            f"{NAME} has schema version {version}, this pocketlens reads {SCHEMA}: it was made by a newer one",
            do="pip install --upgrade pocketlens",
        )
    manifest = typed.build(Manifest, data, NAME)
    check(manifest)
    return manifest


def check(manifest: Manifest) -> None:
    """Check that paths stay inside, that every file named is listed, and that the parts agree.

    Raises:
        InputError: One does not; the message names the field.
    """
    for name, digest in manifest.files.items():
        _expect(not paths.problem(name), f"files[{name!r}]", f"its name cannot be used: {paths.problem(name)}")
        _expect(_is_digest(digest), f"files[{name!r}]", f"{digest[:40]!r} is no SHA-256")
        outside = name in (NAME, REPORT) or name.startswith(MEASUREMENTS)
        _expect(not outside, f"files[{name!r}]", "it is not part of the content")
    _expect(_is_digest(manifest.source.sha256), "source.sha256", "it is no SHA-256")
    _expect(_is_digest(manifest.recipe_sha256), "recipe_sha256", "it is no SHA-256")
    _expect(bool(manifest.artifacts), "artifacts", "there is none")
    for i, artifact in enumerate(manifest.artifacts):
        _check_artifact(manifest, artifact, f"artifacts[{i}]")
    ids = [artifact.id for artifact in manifest.artifacts]
    _expect(len(set(ids)) == len(ids), "artifacts", f"an id occurs twice: {', '.join(sorted(ids))}")
    for i, golden in enumerate(manifest.golden):
        for key in ("picture", "expected"):
            name = getattr(golden, key)
            _expect(name in manifest.files, f"golden[{i}].{key}", f"{name!r} is not among files")
        _expect(golden.style in (manifest.io.styles or ("",)), f"golden[{i}].style", f"no style is {golden.style!r}")
    names = manifest.io.styles
    _expect(len(set(names)) == len(names) != 1, "io.styles", "a pack has several styles of different names")
    gates = tuple(gate for artifact in manifest.artifacts for gate in artifact.gates)
    _expect(manifest.verdict == verdict(gates), "verdict", f"{manifest.verdict!r} contradicts the gates")


def _check_artifact(manifest: Manifest, artifact: Artifact, where: str) -> None:
    listed = manifest.files_of(artifact)
    _expect(artifact.path.startswith("artifacts/"), f"{where}.path", f"{artifact.path!r} is not in artifacts/")
    _expect(bool(listed), f"{where}.path", f"{artifact.path!r} is not among files")
    for name in _beside(artifact.path):
        suffix = PurePosixPath(name).suffix
        _expect(name in listed, f"{where}.path", f"the {suffix} beside {artifact.path!r} is not among files")
    _expect(artifact.sha256 == digest(artifact.path, manifest.files), f"{where}.sha256", "it contradicts files")
    size = (artifact.height, artifact.width)
    _expect(size in manifest.io.sizes, f"{where}.height and width", f"{size} is not among io.sizes")
    _expect(0 < artifact.height <= 1 << 15 and 0 < artifact.width <= 1 << 15, where, f"no artifact computes at {size}")


def _is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise InputError(f"{NAME}: {where}: {what}", do=_REMAKE)
