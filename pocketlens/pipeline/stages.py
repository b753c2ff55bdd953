"""The stages from a source to verified artifacts, each cached by the content of everything that it depends on."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import pocketlens
from pocketlens import images
from pocketlens.converters.emitter import Labels
from pocketlens.converters.verify import GRAPH_FLOORS, Verification
from pocketlens.errors import InputError, VerificationError
from pocketlens.files import cached, files_under, key_of, sha256
from pocketlens.images import Floats
from pocketlens.models.source import Source
from pocketlens.pipeline.pictures import Judges
from pocketlens.precisions import PRECISIONS
from pocketlens.quality import Scores
from pocketlens.runtimes.adapter import RuntimeInfo
from pocketlens.targets import TARGETS
from pocketlens.version import BASE_VERSION

if TYPE_CHECKING:
    import onnx_ir as ir

    from pocketlens.converters.quantization.plan import Plan
    from pocketlens.models.teacher import Teacher

LIBRARIES = (
    "ai-edge-litert",
    "coremltools",
    "flatbuffers",
    "flip-evaluator",
    "numpy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "onnxscript",
    "openvino",
    "optimum",
    "optimum-onnx",
    "pillow",
    "torch",
    "transformers",
)
"""Every library that can change what an artifact holds or computes."""


@dataclass(frozen=True)
class Emitted:
    """One artifact that was written and verified.

    Attributes:
        id: ``<target>-<precision>-<height>x<width>``.
        path: The file (for OpenVINO the ``.xml``, its ``.bin`` beside it) or ``.mlpackage`` folder, in the cache.
        rewrites: Those that changed its graph, in order.
        plan: How its layers compute; None where nothing is coded in fewer bits.
    """

    id: str
    target: str
    precision: str
    height: int
    width: int
    path: Path
    verified: Verification
    rewrites: tuple[str, ...] = ()
    plan: "Plan | None" = None


@dataclass(frozen=True)
class Rewritten:
    """A graph as a target wants it.

    Attributes:
        path: Its ``.onnx`` file, in the cache.
        rewrites: Those that changed something, in order.
        plan: What is written into it; None where it is all floats.
    """

    path: Path
    rewrites: tuple[str, ...]
    plan: "Plan | None" = None


@cache
def toolchain() -> dict[str, str]:
    """The version of every library of :data:`LIBRARIES` that is installed, and of Pocketlens."""
    found = {"pocketlens": BASE_VERSION}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """What tells this machine from another, for results that depend on it."""
    import platform

    return {"node": platform.node(), "system": platform.platform(), "cores": str(os.cpu_count())}


@cache
def code() -> str:
    """SHA-256 of Pocketlens' own source, so that a changed emitter never answers from the cache."""
    root = Path(pocketlens.__file__).parent
    return key_of(files={str(p.relative_to(root)): sha256(p) for p in files_under(root) if p.suffix == ".py"})


def safe_name(name: str) -> str:
    """A model's name without what cannot stand in labels."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def teacher_of(source: Source) -> "Teacher":
    """The source as its author trained it."""
    from pocketlens.models.teacher import onnx_teacher, torch_teacher

    if source.kind == "onnx":
        assert source.path is not None
        return onnx_teacher(source.path, source.ranges)
    return torch_teacher(source.load(), source.ranges)


def references(source: Source, judges: Judges) -> list[Floats]:
    """The teacher's pictures: ``float32 [height, width, 3]``, 0..255, one for each judge picture."""

    def make(folder: Path) -> None:
        # A foreign file first becomes a graph: that says what is wrong with it in words, where a runtime does not.
        graph = next(export_graphs(source, *judges.pictures[0].shape[:2])) if source.kind == "onnx" else None
        teacher = teacher_of(source)
        played = [
            teacher(p, style)
            for p, style in zip(judges.pictures, judges.styles or [()] * len(judges.pictures), strict=True)
        ]
        if graph is not None:
            played = _as_meant(source, graph, judges, played, folder / "graph.onnx")
        np.save(folder / "pictures.npy", np.stack(played))

    key = key_of(
        source=source.key, ranges=asdict(source.ranges), judges=judges.digest(), code=code(), tools=toolchain()
    )
    return list(np.load(cached("teacher", key, make) / "pictures.npy", allow_pickle=False))


def _as_meant(source: Source, graph: "ir.Model", judges: Judges, played: list[Floats], path: Path) -> list[Floats]:
    """What a foreign file means, where its own pictures are too coarse to be the judge.

    That is where onnxruntime loses too much in long norms (docs/decisions/0005), and where pictures go in or out in half
    precision, which rounds them. The graph as it is must give what the file gave, to half precision in the second case; then the
    same graph with means of means is the teacher. If it does not, :func:`graph_of` says what is wrong.
    """
    from pocketlens.converters import graph as hub
    from pocketlens.converters.long_norms import decompose_long_norms, has_long_norms
    from pocketlens.converters.onnx_file import has_half_ends
    from pocketlens.converters.verify import verify_artifact
    from pocketlens.runtimes.session import open_artifact

    assert source.path is not None
    coarse = has_half_ends(source.path)
    if not has_long_norms(graph) and not coarse:
        return played
    hub.save(graph, path)
    try:
        verify_artifact(path, PRECISIONS["fp16"].floors if coarse else GRAPH_FLOORS, judges.pictures, played)
    except VerificationError:
        return played
    finally:
        path.unlink()
    hub.save(decompose_long_norms(graph), path)
    with open_artifact(path) as session:
        meant = [np.clip(session.floats(picture), 0, 255) for picture in judges.pictures]
    path.unlink()
    return meant


def graph_of(source: Source, height: int, width: int, judges: Judges, teachers: Sequence[Floats]) -> Path:
    """The graph of a source at a size, checked against the source; the path of its ``.onnx`` file in the cache.

    Raises:
        InputError: The source cannot be exported or imported at this size.
        VerificationError: The graph does not compute what the source computes.
    """

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.long_norms import decompose_long_norms
        from pocketlens.converters.verify import verify_artifact

        path, wrong = folder / "graph.onnx", None
        for graph in export_graphs(source, height, width):
            hub.save(decompose_long_norms(graph), path)
            try:
                verify_artifact(path, GRAPH_FLOORS, judges.pictures, teachers, styles=judges.styles)
            except VerificationError as error:
                wrong = wrong or error
            else:
                hub.save(graph, path)
                return
        assert wrong is not None
        raise wrong

    key = key_of(
        source=source.key, ranges=asdict(source.ranges), size=[height, width], code=code(), tools=toolchain(),
        judges=judges.digest(),
    )  # fmt: skip
    return cached("graph", key, make) / "graph.onnx"


def rewritten(graph: Path, names: Sequence[str], judges: Judges, teachers: Sequence[Floats]) -> Rewritten:
    """A graph after some rewrites, checked against the teacher as the graph itself was.

    Raises:
        InputError: There is no such rewrite.
        VerificationError: The rewritten graph does not compute what the teacher computes.
    """

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.long_norms import decompose_long_norms
        from pocketlens.converters.rewrites import registry
        from pocketlens.converters.verify import verify_artifact

        model = hub.load(graph)
        changed = registry.apply(model, names)
        (folder / "rewrites.json").write_text(json.dumps(changed))
        if changed:
            hub.check(model)
            hub.save(decompose_long_norms(model), folder / "graph.onnx")
            verify_artifact(folder / "graph.onnx", GRAPH_FLOORS, judges.pictures, teachers, styles=judges.styles)
            hub.save(model, folder / "graph.onnx")

    if not names:
        return Rewritten(graph, ())
    key = key_of(graph=sha256(graph), names=list(names), code=code(), tools=toolchain(), judges=judges.digest())
    entry = cached("rewritten", key, make)
    changed = tuple(json.loads((entry / "rewrites.json").read_text()))
    return Rewritten(entry / "graph.onnx" if changed else graph, changed)


def export_graphs(source: Source, height: int, width: int) -> "Iterator[ir.Model]":
    """The graph of a source at a size, in memory and not checked against it yet, in every way that there is.

    Raises:
        InputError: The source cannot be exported or imported at this size in any way.
    """
    if source.kind == "onnx":
        from pocketlens.converters.prepare import prepare, read_onnx

        assert source.path is not None
        yield prepare(read_onnx(source.path), height, width, source.ranges)
        return
    if source.kind == "hf":
        from pocketlens.models.huggingface import export as optimum_export

        yield optimum_export(source.load(), height, width, source.ranges)
        return
    from pocketlens.models.export import EXPORTERS, export

    module, refused, given = source.load(), None, False
    for exporter in EXPORTERS:
        try:
            graph = export(module, height, width, source.ranges, exporter)
        except InputError as error:
            refused = refused or error
        else:
            given = True
            yield graph
    if refused is not None and not given:
        raise refused


def sees_flicker(precision: str) -> bool:
    """Whether a precision is looked at in a clip: floats do not flicker."""
    return PRECISIONS[precision].is_low_bit


def coded(given: Rewritten, precision: str, judges: Judges) -> tuple[Path, list[Floats] | None]:
    """The graph with weights in fewer bits where a precision says so, and what it makes of the judge pictures.

    Returns:
        The path of the graph, in the cache; and the pictures ``float32 [height, width, 3]`` that an artifact emitted from it
        must give, or None where the graph is the one given.
    """

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.long_norms import decompose_long_norms
        from pocketlens.converters.weight_quantization.quantize import quantize_weights
        from pocketlens.runtimes.session import open_artifact

        coded = quantize_weights(hub.load(graph), precision, judges.calibrates)
        hub.save(decompose_long_norms(coded), folder / "graph.onnx")
        with open_artifact(folder / "graph.onnx") as session:
            np.save(folder / "meant.npy", np.stack([session.floats(picture) for picture in judges.pictures]))
        hub.save(coded, folder / "graph.onnx")

    def play(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.simulate import simulate

        np.save(folder / "meant.npy", np.stack(simulate(hub.load(graph), judges.pictures)))

    graph = given.path
    if given.plan is not None or PRECISIONS[precision].quantizes == "activations":  # the graph is coded already
        entry = cached(
            "meant", key_of(graph=sha256(graph), judges=judges.digest(), code=code(), tools=toolchain()), play
        )
        return graph, list(np.load(entry / "meant.npy", allow_pickle=False))
    if PRECISIONS[precision].quantizes != "weights":
        return graph, None
    key = key_of(graph=sha256(graph), precision=precision, judges=judges.digest(), code=code(), tools=toolchain())
    entry = cached("coded", key, make)
    return entry / "graph.onnx", list(np.load(entry / "meant.npy", allow_pickle=False))


def artifact_key(
    graph: Path,
    target: str,
    precision: str,
    labels: Labels,
    judges: Judges,
    source: Source,
) -> str:
    """What an artifact and its verification depend on."""
    return key_of(
        flicker=sees_flicker(precision), graph=sha256(graph), target=target, precision=precision, labels=asdict(labels), judges=judges.digest(),
        source=source.key, code=code(), tools=toolchain(),
    )  # fmt: skip


def emit(
    graph: Rewritten,
    target: str,
    precision: str,
    labels: Labels,
    judges: Judges,
    teachers: Sequence[Floats],
    key: str,
    clip: Sequence[Floats] = (),
) -> Emitted:
    """Write one artifact of the rewritten graph and verify it; nothing is kept of one that is wrong.

    ``clip`` holds the teacher's frames of the judges' clip, where flicker is to be seen.

    Raises:
        VerificationError: The file does not compute what the teacher computes.
    """
    height, width = judges.pictures[0].shape[:2]
    name = f"{target}-{precision}-{height}x{width}"

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.emitter import emitter
        from pocketlens.converters.verify import Clip, verify_artifact

        path = folder / (name + TARGETS[target].suffix)
        source_graph, meant = coded(graph, precision, judges)
        emitter(target).emit(hub.load(source_graph), precision, labels, path)
        verified = verify_artifact(
            path, PRECISIONS[precision].floors, judges.pictures, teachers, graph_outputs=meant,
            clip=Clip(judges.clip, clip) if clip else None, styles=judges.styles,
        )  # fmt: skip
        data = {f.name: getattr(verified, f.name) for f in fields(verified) if f.name != "worst_picture"}
        (folder / "verified.json").write_text(json.dumps(data, default=asdict))
        images.write(folder / "worst.png", verified.worst_picture)

    entry = cached("artifact", key, make)
    found = json.loads((entry / "verified.json").read_text())
    scores = tuple(Scores(**one) for one in found.pop("scores"))
    worst, picture = Scores(**found.pop("worst")), images.read(entry / "worst.png")
    info = RuntimeInfo(**(found.pop("facts", None) or found.pop("runtime_info")))  # "facts" in entries of 0.1
    verified = Verification(scores=scores, worst=worst, worst_picture=picture, runtime_info=info, **found)
    path = entry / (name + TARGETS[target].suffix)
    return Emitted(name, target, precision, height, width, path, verified, graph.rewrites, graph.plan)
