"""What the teacher makes of the evaluation pictures."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pocketlens.converters.verify import GRAPH_FLOORS
from pocketlens.errors import InputError, SizeError, VerificationError
from pocketlens.files import cached
from pocketlens.images import Floats
from pocketlens.models.source import Source
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.export import export_graphs, onnx_file, tflite_files, with_fitting_size
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.precisions import PRECISIONS

if TYPE_CHECKING:
    import onnx_ir as ir

    from pocketlens.models.teacher import Teacher


def teacher_of(source: Source) -> "Teacher":
    """The source as its author trained it; with guided output, on the small picture."""
    from pocketlens.models.teacher import guided_teacher, onnx_teacher, tflite_teacher, torch_teacher

    if source.guided > 1:
        return guided_teacher(teacher_of(source.generator), source.guided, source.strokes)
    if source.kind == "onnx":
        return onnx_teacher(onnx_file(source), source.ranges, source.signature)
    if source.kind == "tflite":
        from pocketlens.converters import graph as hub

        played, shell = tflite_files(source)
        return tflite_teacher(played, source.ranges, hub.load(shell), source.signature)
    return torch_teacher(source.load(), source.ranges)


def play_teacher(source: Source, eval_set: EvalSet) -> tuple[Floats, ...]:
    """The teacher's pictures: ``float32 [height, width, 3]``, 0..255, one for each evaluation picture."""

    def make(folder: Path) -> None:
        # A foreign file first becomes a graph: that says what is wrong with it in words, where a runtime does not.
        try:
            graph = next(export_graphs(source, *eval_set.size)) if source.is_foreign else None
        except SizeError as error:
            raise (_refused_by_litert(source, eval_set.size) or error) from error
        teacher = teacher_of(source)
        styles = eval_set.styles or [()] * len(eval_set.pictures)
        try:
            shown = zip(eval_set.pictures, styles, strict=True)
            outputs = [teacher(picture, style, follow=eval_set.is_clip) for picture, style in shown]
        except SizeError as error:
            raise with_fitting_size(error, source, *eval_set.size) from error
        if graph is not None:
            outputs = _precise_outputs(source, graph, eval_set, outputs, folder / "graph.onnx")
        np.save(folder / "pictures.npy", np.stack(outputs))

    key = stage_key(source=source.key, ranges=asdict(source.ranges), pictures=eval_set.digest())
    return tuple(np.load(cached("teacher", key, make) / "pictures.npy", allow_pickle=False))


def _refused_by_litert(source: Source, size: tuple[int, int]) -> InputError | None:
    """What is wrong with a ``.tflite`` file whose shapes do not fit each other, where LiteRT refuses it too."""
    from pocketlens.runtimes.adapter import RUNTIMES, Options

    if source.kind != "tflite" or source.path is None:
        return None
    try:
        # Its own kernels say what does not fit; XNNPACK only that something does not.
        with closing(RUNTIMES["litert"].open(source.path, Options(size=size, accelerator="none"))) as player:
            player.run()
    except InputError as error:
        return InputError(
            f"the file is wrong as it was written: {error.what}",
            do="give the model that it was converted from: Pocketlens converts that, and verifies the file",
        )
    return None


def _precise_outputs(
    source: Source, graph: "ir.Model", eval_set: EvalSet, outputs: Sequence[Floats], path: Path
) -> list[Floats]:
    """What a foreign file stands for, where its own pictures are too coarse to compare with.

    That is where onnxruntime loses too much in long norms (decision 5), and where pictures go in or out in half
    precision, which rounds them. The graph as it is must give what the file gave, to half precision in the second case;
    then the same graph with means of means is the teacher. If it does not,
    :func:`pocketlens.pipeline.stages.graph.export_graph` says what is wrong.
    """
    from pocketlens.converters import graph as hub
    from pocketlens.converters.long_norms import decompose_long_norms, has_long_norms
    from pocketlens.converters.onnx_file import has_half_ends
    from pocketlens.converters.verify import verify_artifact
    from pocketlens.runtimes.session import open_artifact

    assert source.path is not None
    is_coarse = source.kind == "onnx" and has_half_ends(source.path)
    if not has_long_norms(graph) and not is_coarse:
        return list(outputs)
    hub.save(graph, path)
    try:
        verify_artifact(path, PRECISIONS["fp16"].floors if is_coarse else GRAPH_FLOORS, eval_set.pictures, outputs)
    except VerificationError:
        return list(outputs)
    finally:
        path.unlink()
    hub.save(decompose_long_norms(graph), path)
    with open_artifact(path) as session:
        precise_outputs = [np.clip(session.floats(picture), 0, 255) for picture in eval_set.pictures]
    path.unlink()
    return precise_outputs
