"""A picture is sampled by Gather as GridSample samples it, on every kind of place."""

import numpy as np
import pytest

from pocketlens.converters.grid_sample import decompose_grid_samples
from tests.conformance.case import Case, Place
from tests.conformance.check import Outcome, check
from tests.converters.graph_builder import GraphBuilder, run
from tests.converters.rewrites.harness import assert_close


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_every_mode_inside_and_far_outside(mode: str, padding: str, corners: int) -> None:
    builder = GraphBuilder((1, 2, 5, 7))
    places = builder.array(np.random.default_rng(1).uniform(-3.4, 3.4, (1, 9, 8, 2)))
    builder.add("GridSample", "x", places, mode=mode, padding_mode=padding, align_corners=corners)
    model = builder.model()
    picture = {"x": np.random.default_rng(2).standard_normal((1, 2, 5, 7)).astype(np.float32)}
    decomposed = decompose_grid_samples(model)
    assert "GridSample" not in {node.op_type for node in decomposed.graph}
    assert "GridSample" in {node.op_type for node in model.graph}
    assert_close(run(decomposed, picture), run(model, picture))


@pytest.mark.parametrize("target", ["tflite", "coreml"])
def test_a_picture_is_warped(target: str) -> None:
    case = Case(
        "s = Slice (x, start, end, axis)\nt = Tanh (s)\ng = Transpose <perm = [0, 2, 3, 1]> (t)\n"
        'y = GridSample <mode = "cubic", padding_mode = "reflection"> (x, g)',
        {"start": (0,), "end": (2,), "axis": (1,)},
        Place(3, 12, 9),
    )
    assert check(case, target) is Outcome.RAN
