"""The graph made fit for half precision: audited on calibration pictures, scaled where it would overflow, audited again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters.fp16_audit import Extent, audit
from pocketlens.converters.rewrites.scale_for_half import scale_for_half
from pocketlens.converters.verify import GRAPH_FLOORS, verify_artifact
from pocketlens.files import cached, key_of, sha256
from pocketlens.images import Floats
from pocketlens.pipeline import stages
from pocketlens.pipeline.pictures import Judges


@dataclass(frozen=True)
class Halved:
    """A graph that half precision can hold, as far as exact means reach.

    Attributes:
        path: Its ``.onnx`` file, in the cache; the graph's own where nothing had to be done.
        scaled: How many values were made smaller by a power of two.
        risks: What is left: the largest first.
    """

    path: Path
    scaled: int
    risks: tuple[Extent, ...]


def halved(graph: Path, calibrate: Judges, judges: Judges, teachers: Sequence[Floats]) -> Halved:
    """Audit a graph at its size, and scale what would overflow fp16; the picture is checked against the teacher again.

    Raises:
        VerificationError: The scaled graph does not compute what the teacher computes.
    """

    def make(folder: Path) -> None:
        model = hub.load(graph)
        extents = audit(model, calibrate.pictures)
        scaled = scale_for_half(model, extents)
        if scaled:
            hub.check(model)
            hub.save(model, folder / "graph.onnx")
            verify_artifact(folder / "graph.onnx", GRAPH_FLOORS, judges.pictures, teachers, styles=judges.styles)
            extents = audit(model, calibrate.pictures)
        risks = sorted((one for one in extents if one.risky), key=lambda one: (one.kind != "value", -one.largest))
        data = {"scaled": len(scaled), "risks": [asdict(one) for one in risks]}
        (folder / "audit.json").write_text(json.dumps(data))

    key = key_of(
        graph=sha256(graph), calibrate=calibrate.digest(), judges=judges.digest(), code=stages.code(),
        tools=stages.toolchain(),
    )  # fmt: skip
    entry = cached("halved", key, make)
    data = json.loads((entry / "audit.json").read_text())
    path = entry / "graph.onnx" if data["scaled"] else graph
    return Halved(path, data["scaled"], tuple(Extent(**one) for one in data["risks"]))
