"""The stage from a source to its graph, checked against the teacher."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.converters.verify import GRAPH_FLOORS
from pocketlens.errors import VerificationError
from pocketlens.files import cached
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.stage_key import stage_key

if TYPE_CHECKING:
    from pocketlens.converters.rewrites.flush_tiny_weights import FlushTinyWeights

_NOTES = "notes.json"


def export_graph(evaluation: Evaluation) -> Path:
    """The graph of the evaluation's source at its size; the path of its ``.onnx`` file in the cache.

    Raises:
        InputError: The source cannot be exported or imported at this size.
        VerificationError: The graph does not compute what the source computes.
    """
    source, size = evaluation.source, evaluation.size

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.long_norms import ask_exact_norms, decompose_long_norms
        from pocketlens.converters.rewrites.flush_tiny_weights import FlushTinyWeights

        path, failure = folder / "graph.onnx", None
        for graph in export_graphs(source, *size):
            flush = FlushTinyWeights()
            flush(graph)
            for is_again in (False, True):
                if is_again and not ask_exact_norms(graph):
                    break
                hub.save(decompose_long_norms(graph), path)
                try:
                    evaluation.verify(path, GRAPH_FLOORS, graph=path)
                except VerificationError as error:
                    failure = failure or error
                else:
                    hub.save(graph, path)
                    _write_notes(path, source.name, flush)
                    return
        assert failure is not None
        raise failure

    key = stage_key(source=source.key, ranges=asdict(source.ranges), size=size, pictures=evaluation.eval_set.digest())
    return cached("graph", key, make) / "graph.onnx"


def graph_notes(graph: Path) -> tuple[str, ...]:
    """What was done to a graph of :func:`export_graph` that the user should know, in sentences."""
    return tuple(json.loads(graph.with_name(_NOTES).read_text()))


def _write_notes(graph: Path, name: str, flush: "FlushTinyWeights") -> None:
    notes = []
    if flush.flushed:
        notes.append(
            f"{name}: {flush.flushed:,} of {flush.of:,} weights count as 0: they are below 1e-30 and change no "
            "picture, but processors compute with such numbers up to a hundred times slower"
        )
    graph.with_name(_NOTES).write_text(json.dumps(notes))
