"""What a target cannot express is said before any work, and nothing else is."""

from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from pocketlens.converters.emitter import Labels, emitter
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.commands.inspect import inspect
from pocketlens.site import page
from pocketlens.targets import TARGETS
from tests.conformance.case import Case, Place
from tests.conformance.check import lowered_operators
from tests.conformance.operators import CASES

REFUSED = {
    "tflite": (Case("y = Sinh(x)", {}, Place(3, 16, 16)), "Sinh"),
    "coreml": (Case("y = Sinh(x)", {}, Place(3, 16, 16)), "Sinh"),
    "openvino": (
        Case(
            'y = Resize <mode = "linear", keep_aspect_ratio_policy = "not_larger", axes = [2, 3]> (x, , , s)',
            {"s": (40, 36)},
            Place(3, 16, 28),
        ),
        "Resize",
    ),
}


def _saved(case: Case, path: Path) -> tuple[int, int]:
    model = case.model()
    onnx.save(model, path)
    height, width = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[2:])
    return height, width


@pytest.mark.parametrize("operator", CASES)
def test_what_an_emitter_refuses_is_named(operator: str, tmp_path: Path) -> None:
    """Of a case of every operator. That the rest is emitted, and right, is what ``tests/conformance`` shows."""

    @seed(0)
    @settings(max_examples=1, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(CASES[operator][0])
    def run(case: Case) -> None:
        path = tmp_path / "case.onnx"
        size = _saved(case, path)
        found = inspect(str(path), size=size, rewrites="none", save=tmp_path / "graph.onnx")
        assert set(found.refusals) == set(TARGETS)
        for target in TARGETS:
            if not found.refusals[target] or not lowered_operators(target).has_own_lowerings:
                continue
            with pytest.raises(UnsupportedError) as caught:
                emitter(target).emit(
                    _graph(tmp_path), "fp32", Labels("case"), tmp_path / f"case{TARGETS[target].suffix}"
                )
            assert [line.strip().removeprefix(f"{target}: ") for line in caught.value.what.splitlines()] == list(
                found.refusals[target]
            )

    run()


def _graph(folder: Path) -> object:
    from pocketlens.converters import graph as hub

    return hub.load(folder / "graph.onnx")


@pytest.mark.parametrize("target", REFUSED)
def test_convert_refuses_what_inspect_has_named(target: str, tmp_path: Path) -> None:
    case, operator = REFUSED[target]
    path = tmp_path / "case.onnx"
    size = _saved(case, path)
    found = inspect(str(path), size=size)
    assert [bool(found.refusals[other]) for other in ("onnx", target)] == [False, True]
    assert found.refusals[target][0].startswith(f"{operator} '")
    with pytest.raises(UnsupportedError) as caught:
        convert(str(path), [target], ["fp32"], tmp_path / "out", size=size)
    assert found.refusals[target][0] in caught.value.what and page("operators") in caught.value.do
    assert not (tmp_path / "out").exists()


def test_ranges_are_those_of_the_file(tmp_path: Path) -> None:
    size = _saved(Case("y = Tanh(x)", {}, Place(3, 16, 16)), tmp_path / "case.onnx")
    with pytest.raises(InputError, match="low < high"):
        inspect(str(tmp_path / "case.onnx"), size=size, ranges=((1.0, -1.0), None))
    plain, ranged = (
        inspect(str(tmp_path / "case.onnx"), size=size, ranges=ranges) for ranges in ((None, None), ((-1.0, 1.0), None))
    )
    assert sum(ranged.operators.values()) >= sum(plain.operators.values())
