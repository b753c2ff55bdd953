"""The stage from a source to its graph, checked against the teacher."""

from dataclasses import asdict
from pathlib import Path

from pocketlens.converters.verify import GRAPH_FLOORS
from pocketlens.errors import VerificationError
from pocketlens.files import cached
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.stage_key import stage_key


def export_graph(evaluation: Evaluation) -> Path:
    """The graph of the evaluation's source at its size; the path of its ``.onnx`` file in the cache.

    Raises:
        InputError: The source cannot be exported or imported at this size.
        VerificationError: The graph does not compute what the source computes.
    """
    source, size = evaluation.source, evaluation.size

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.long_norms import decompose_long_norms

        path, failure = folder / "graph.onnx", None
        for graph in export_graphs(source, *size):
            hub.save(decompose_long_norms(graph), path)
            try:
                evaluation.verify(path, GRAPH_FLOORS, graph=path)
            except VerificationError as error:
                failure = failure or error
            else:
                hub.save(graph, path)
                return
        assert failure is not None
        raise failure

    key = stage_key(source=source.key, ranges=asdict(source.ranges), size=size, pictures=evaluation.eval_set.digest())
    return cached("graph", key, make) / "graph.onnx"
