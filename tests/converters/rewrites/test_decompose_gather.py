"""Taking values out by places of any form becomes a Gather along one axis, with the same values."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.rewrites.decompose_gather import DecomposeGather
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.converters.graph_builder import GraphBuilder, run
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize("perm", [(0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_places_that_are_a_transposed_view_are_a_transpose(perm: tuple[int, ...]) -> None:
    """As torch's newer exporter writes ``as_strided``."""
    builder = GraphBuilder((1, 4, 6))
    flat = builder.add("Reshape", "x", builder.ints(24))
    places = np.arange(24).reshape(2, 3, 4).transpose(perm)
    builder.add("Gather", flat, builder.array(places, np.int64))
    assert check_passes(builder.model(), DecomposeGather) == {"Reshape": 2, "Transpose": 1}


def test_other_places_of_several_axes_are_taken_flat() -> None:
    builder = GraphBuilder((1, 4, 6))
    builder.add("Gather", "x", builder.array(builder.rng.integers(0, 4, (2, 3)), np.int64), axis=1)
    model = builder.model()
    assert check_passes(model, DecomposeGather) == {"Gather": 1, "Reshape": 1}


def places(builder: GraphBuilder, most: int, *shape: int, kind: int = 7) -> str:
    """Integers from ``-most`` to ``most`` that the picture decides; ``kind`` is ONNX's number of the type."""
    values = builder.add("Mul", builder.add("Tanh", "x"), builder.array(most + 0.99))
    return builder.add("Reshape", builder.add("Cast", values, to=kind), builder.ints(*shape))


@pytest.mark.parametrize("kind", [6, 7], ids=["int32", "int64"])
def test_computed_places_are_taken_flat(kind: int) -> None:
    builder = GraphBuilder((1, 4, 6))
    builder.add("Gather", builder.random(3, 5), places(builder, 4, 2, 12, kind=kind), axis=1)
    left = check_passes(builder.model(), DecomposeGather)
    assert left["Gather"] == 1


@pytest.mark.parametrize("kind", [6, 7], ids=["int32", "int64"])
def test_elements_are_named_by_one_number(kind: int) -> None:
    builder = GraphBuilder((1, 4, 6))
    builder.add("GatherElements", builder.random(2, 9, 3), places(builder, 8, 2, 4, 3, kind=kind), axis=1)
    assert "GatherElements" not in check_passes(builder.model(), DecomposeGather)


@pytest.mark.parametrize("computed", [True, False])
def test_entries_are_named_by_one_number(computed: bool) -> None:
    builder = GraphBuilder((1, 4, 6))
    table = builder.add("Mul", builder.random(3, 4, 5), builder.add("ReduceMean", "x", keepdims=0))
    named = places(builder, 2, 4, 3, 2) if computed else builder.array([[0, 3], [-1, 1]], np.int64)
    builder.add("GatherND", table, named)
    assert "GatherND" not in check_passes(builder.model(), DecomposeGather)


def looked_up() -> ir.Model:
    """A table of 40,000 entries, more than half precision counts, by places that are computed and limited."""
    builder = GraphBuilder((1, 3, 4, 6))
    scaled = builder.add("Add", builder.add("Mul", "x", builder.array(1 / 7)), builder.array(0.25))
    level = builder.add("Cast", scaled, to=7)
    level = builder.add("Clip", level, builder.array(0, np.int64), builder.array(33, np.int64))
    red, green, blue = (builder.add("Gather", level, builder.array(i, np.int64), axis=1) for i in range(3))
    place = builder.add("Add", builder.add("Mul", red, builder.array(34, np.int64)), green)
    place = builder.add("Add", builder.add("Mul", place, builder.array(34, np.int64)), blue)
    table = builder.array(builder.rng.uniform(0, 255, (3, 34**3)))
    taken = builder.add("Gather", table, builder.add("Reshape", place, builder.ints(24)), axis=1)
    builder.add("Reshape", taken, builder.ints(1, 3, 4, 6))
    return builder.model()


@pytest.mark.parametrize(("target", "precision"), [("tflite", "fp32"), ("coreml", "fp32"), ("coreml", "fp16")])
def test_targets_count_places_in_integers(target: str, precision: str, tmp_path: Path) -> None:
    model = looked_up()
    x = 7 * np.random.default_rng(3).integers(0, 34, (4, 6, 3)).astype(np.uint8)
    expected = run(model, {"x": x.astype(np.float32).transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0)
    model.graph.inputs[0].name, model.graph.outputs[0].name = hub.INPUT, hub.OUTPUT
    assert emitter(target).refusals(model) == []
    path = tmp_path / f"x{TARGETS[target].suffix}"
    emitter(target).emit(model, precision, Labels("x"), path)
    with open_artifact(path, exact=True) as session:
        assert np.abs(session.floats(x) - expected).max() < (1e-3 if precision == "fp32" else 0.2)
