"""The stage that makes a graph fit for half precision: audited on calibration pictures, scaled where it would
overflow.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters.fp16_audit import Extent, audit
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.converters.rewrites.fp16_range_scaling import scale_fp16_ranges
from pocketlens.converters.rewrites.fp16_root_mean_squares import even_out_squares
from pocketlens.converters.verify import GRAPH_FLOORS
from pocketlens.errors import VerificationError
from pocketlens.files import cached, sha256
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.targets import ArtifactSpec


@dataclass(frozen=True)
class ScaledGraph:
    """A graph that half precision can hold, as far as exact means reach.

    Attributes:
        path: Its ``.onnx`` file, in the cache; the graph's own where nothing had to be done.
        scaled: How many values were made smaller by a power of two.
        risks: What is left: the largest first.
        warnings: What is odd about the generator, in sentences.
    """

    path: Path
    scaled: int = 0
    risks: tuple[Extent, ...] = ()
    warnings: tuple[str, ...] = ()


def name_overflow(error: Exception, spec: ArtifactSpec, risks: Sequence[Extent]) -> Exception:
    """What is wrong with a file, with the value that half precision cannot hold, where that is known.

    Args:
        error: Why the file is wrong.
        spec: The file's.
        risks: Of its graph, the largest value first.
    """
    largest = next((risk for risk in risks if risk.kind == "value" and risk.overflows), None)
    if spec.precision == "fp32" or largest is None or not isinstance(error, VerificationError):
        return error
    beyond = f"{largest.operator} {largest.node!r} gives up to {largest.largest:.3g}, and half precision ends at 65504"
    return VerificationError(f"{error.what}; {beyond}", do="ask for fp32, or check the generator's ranges and weights")


def fp16_scaling(evaluation: Evaluation, graph: Path, specs: Iterable[ArtifactSpec]) -> ScaledGraph:
    """Audit a graph at its size, and scale what would overflow fp16; the picture is checked against the teacher again.

    Nothing is done where every artifact asked for is ``fp32``: any other precision may be computed in half precision.

    Raises:
        VerificationError: The scaled graph does not compute what the teacher computes.
    """
    if all(spec.precision == "fp32" for spec in specs):
        return ScaledGraph(graph)
    calibration = evaluation.eval_set.calibration_set()

    def make(folder: Path) -> None:
        model = hub.load(graph)
        extents = audit(model, calibration.pictures)
        evened = even_out_squares(model, extents)
        if evened:
            extents = audit(model, calibration.pictures)
        scaled = scale_fp16_ranges(model, extents)
        if scaled or evened:
            hub.check(model)
            hub.save(decompose_long_norms(model), folder / "graph.onnx")
            evaluation.verify(folder / "graph.onnx", GRAPH_FLOORS, graph=folder / "graph.onnx")
            hub.save(model, folder / "graph.onnx")
            extents = audit(model, calibration.pictures)
        risks = sorted(
            (extent for extent in extents if extent.risky),
            key=lambda extent: (extent.kind != "value", -extent.largest),
        )
        data = {"scaled": len(scaled) + len(evened), "risks": [asdict(risk) for risk in risks]}
        (folder / "audit.json").write_text(json.dumps(data))

    key = stage_key(graph=sha256(graph), calibration=calibration.digest(), pictures=evaluation.eval_set.digest())
    entry = cached("fp16-scaling", key, make)
    data = json.loads((entry / "audit.json").read_text())
    path = entry / "graph.onnx" if data["scaled"] else graph
    return ScaledGraph(path, data["scaled"], tuple(Extent(**risk) for risk in data["risks"]))
