"""The stage from the graph to the graph as a target wants it: rewritten, and checked again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.converters.verify import GRAPH_FLOORS
from pocketlens.files import cached, sha256
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stage_key import stage_key

if TYPE_CHECKING:
    from pocketlens.converters.quantization.plan import Plan


@dataclass(frozen=True)
class TargetGraph:
    """A graph as a target wants it.

    Attributes:
        path: Its ``.onnx`` file, in the cache.
        rewrites: Those that changed something, in order.
        plan: How its layers are quantized; None where they are floats, or where the graph came quantized.
    """

    path: Path
    rewrites: tuple[str, ...] = ()
    plan: "Plan | None" = None


def rewrite(evaluation: Evaluation, graph: Path, names: Sequence[str], precision: str) -> TargetGraph:
    """A graph after those rewrites that files of a precision may have, checked against the teacher as the graph itself
    was.

    Raises:
        InputError: There is no such rewrite.
        VerificationError: The rewritten graph does not compute what the teacher computes.
    """
    from pocketlens.converters.rewrites import registry

    names = registry.for_precision(names, precision)

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.long_norms import decompose_long_norms
        from pocketlens.converters.rewrites.flush_tiny_weights import FlushTinyWeights

        model = hub.load(graph)
        changed = registry.apply(model, names)
        if changed:
            FlushTinyWeights()(model)  # Winograd's form, for one, multiplies weights by less than 1
        (folder / "rewrites.json").write_text(json.dumps(changed))
        if changed:
            hub.check(model)
            hub.save(decompose_long_norms(model), folder / "graph.onnx")
            evaluation.verify(folder / "graph.onnx", GRAPH_FLOORS, graph=folder / "graph.onnx")
            hub.save(model, folder / "graph.onnx")

    if not names:
        return TargetGraph(graph)
    key = stage_key(graph=sha256(graph), names=names, pictures=evaluation.eval_set.digest())
    entry = cached("rewritten", key, make)
    changed = tuple(json.loads((entry / "rewrites.json").read_text()))
    return TargetGraph(entry / "graph.onnx" if changed else graph, changed)
