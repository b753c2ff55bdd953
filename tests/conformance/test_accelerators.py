"""Conformance of accelerators whose engines run here; ``docs/operators.md`` has what all cases gave."""

from pathlib import Path

import pytest

from pocketlens import accelerators
from pocketlens.accelerators import litert_gpu, operators
from pocketlens.converters.tflite.lowerings import convolution
from pocketlens.pipeline.commands.place import place_file
from pocketlens.placement import ACCELERATORS
from pocketlens.runtimes.litert_library import version
from pocketlens.targets import TARGETS
from tests.conformance import on_accelerators
from tests.conformance.apart import Players
from tests.conformance.batch import FLOORS, Unclear, Verdict, play
from tests.conformance.case import Case, Place, Weights
from tests.conformance.conform import DEEP
from tests.conformance.on_accelerators import files
from tests.conformance.operators import CASES

UPSTREAM = Path(__file__).resolve().parents[1] / "data/upstream"
_FEW = ("Conv", "Resize, linear", "InstanceNormalization", "DepthToSpace", "ReduceMean", "PRelu", "Softmax", "Gather")
"""Operators of an ordinary run: one case of each, in one file."""
_NAMES = list(CASES) if DEEP else list(_FEW)
PLAYED = [
    (accelerator, precision)
    for accelerator in ("litert-gpu", "snapdragon-npu", "coreai-cpu")
    for precision in FLOORS
    if precision in TARGETS[ACCELERATORS[accelerator].targets[0]].precision_names
]
ORDINARY = [("litert-gpu", "fp32"), ("snapdragon-npu", "int8"), ("coreai-cpu", "fp16")]
"""Each engine once; float files of the Snapdragon NPU and Core AI are played by other tests."""
GROUPS_OF_TWO = Case("y = Conv <group = 2> (x, w)", {"w": Weights((4, 2, 1, 1))}, Place(4, 4, 4, "Conv", "Conv"))
"""Wrong on LiteRT's GPU engine as it stands (docs/upstream.md)."""
RIGHT = Case("y = Relu(x)", {}, Place(3, 4, 4, "Conv", "Mul"))
needs_litert_gpu = pytest.mark.skipif(litert_gpu.missing() is not None, reason=str(litert_gpu.missing()))
needs_the_fault = pytest.mark.skipif(
    litert_gpu.missing() is not None or version() != "2.3.0", reason="the fault is known of ai-edge-litert 2.3.0"
)


@pytest.mark.parametrize(("accelerator", "precision"), PLAYED if DEEP else ORDINARY)
def test_cases_are_as_recorded(accelerator: str, precision: str) -> None:
    if missing := accelerators.engine(accelerator).missing():
        pytest.skip(str(missing))
    records = operators.read()[accelerator][precision]
    names = [name for name in _NAMES if name.split(",")[0] in records]
    assert names
    with Players(accelerator, precision) as players:
        for file in files(names, on_accelerators.EXAMPLES if DEEP else 1):
            for (name, case), verdict in zip(file, players.verdicts([case for _, case in file]), strict=True):
                was_seen = verdict.status == "void" or getattr(records[name.split(",")[0]], verdict.status)
                assert was_seen, f"{name}: {verdict}\n{case!r}"


@needs_the_fault
def test_a_wrong_case_is_told_from_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside it in one file the right one is wrong too: so each is played alone before it counts."""
    monkeypatch.setattr(convolution, "_wide_groups", lambda kernel, groups: (kernel, groups))
    statuses = [play([case], "litert-gpu", "fp32")[0].status for case in (RIGHT, GROUPS_OF_TWO, RIGHT)]
    assert statuses == ["whole", "wrong", "whole"]


SCALED = "p = GlobalAveragePool(x)\ns = Sigmoid(p)\nm = Mul(w, s)\n"
MENDED = {
    "litert-gpu fp32": [
        GROUPS_OF_TWO,
        Case("y = Conv <group = 3> (x, w)", {"w": Weights((6, 2, 3, 3))}, Place(6, 5, 6, "Conv", "Conv")),
        Case("f = Reshape(x, flat)\ns = Softmax(f)\ny = Reshape(s, back)", {"flat": (-1,), "back": (1, -1, 1, 1)},
             Place(1, 4, 1, "Tanh", "Conv")),
        Case(SCALED + "y = Conv(x, m)", {"w": Weights((2, 4, 1, 1))}, Place(4, 3, 7, "Tanh", "Conv")),
        Case("p = Pad <mode = \"constant\"> (x, pads, grey)\ny = Conv(p, w)",
             {"pads": (0, 0, 1, 1, 0, 0, 1, 1), "grey": 2.0, "w": Weights((4, 4, 3, 3))},
             Place(4, 5, 6, "Conv", "Conv")),
    ],
    "snapdragon-npu int8": [
        Case("m = Abs(x)\np = Add(m, low)\ny = Log(p)", {"low": 0.5}, Place(4, 3, 5, "Relu", "Conv")),
        Case("i = Expand(at, to)\ny = ScatterElements <axis = 3> (x, i, new)",
             {"at": 0, "to": (1, 2, 9, 1), "new": Weights((1, 2, 9, 1), 2.0)}, Place(2, 9, 3, "Relu", "Conv")),
        Case("y = Pow(c, x)", {"c": Weights((1,), 0.5, 1.5)}, Place(2, 9, 3, "Relu", "Conv")),
        Case("y = Softplus(x)", {}, Place(2, 9, 3, "Relu", "Conv")),
        Case("h = Sigmoid(x)\nr = ReduceLogSum(h, axes)\ny = Sub(x, r)", {"axes": (1,)}, Place(2, 9, 3, "Relu")),
        Case("m = MatMul(x, w)\ny = Unsqueeze(m, a)", {"w": Weights((9,)), "a": (3,)}, Place(3, 10, 9)),
        Case(SCALED + "q = Mul(m, m)\nv = ReduceSum(q, axes)\nd = Div(m, v)\ny = Conv(x, d)",
             {"w": Weights((2, 2, 1, 1), 1.0, 1.0), "axes": (1, 2, 3)}, Place(2, 6, 5, "Tanh", "Conv")),
    ],
    "snapdragon-npu fp16": [
        Case("m = Cast <to = 7> (x)\ny = Cast <to = 1> (m)", {}, Place(3, 8, 6, shared=True)),
        Case("z = Cast <to = 3> (zero)\nq = QuantizeLinear(x, scale, z)\ny = DequantizeLinear(q, scale, z)",
             {"scale": 0.265625, "zero": (0,)}, Place(3, 11, 5)),
        Case("y = Softplus(x)", {}, Place(2, 9, 3, "Relu", "Conv")),
    ],
}  # fmt: skip
"""Faults of the engines (docs/upstream.md) that Pocketlens writes around."""


@pytest.mark.parametrize("how", list(MENDED))
def test_what_is_written_around_faults_is_right(how: str) -> None:
    accelerator, precision = how.split(" ")
    if missing := accelerators.engine(accelerator).missing():
        pytest.skip(str(missing))
    verdicts = play(MENDED[how], accelerator, precision)
    assert [verdict.status for verdict in verdicts] == ["whole"] * len(verdicts), verdicts


def test_a_process_that_dies_or_hangs_costs_one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    killer = Case("y = Neg(x)", {}, Place(3, 4, 4))
    played: list[int] = []

    def ask(self: Players, asked: list[Case]) -> list[Verdict]:
        played.append(len(asked))
        if killer in asked:
            raise Unclear("the process ended with code -11")
        return [Verdict("whole")] * len(asked)

    monkeypatch.setattr(Players, "_ask", ask)
    verdicts = Players("litert-gpu", "fp32").verdicts([RIGHT, RIGHT, killer, RIGHT, RIGHT])
    assert [verdict.status for verdict in verdicts] == ["whole", "whole", "wrong", "whole", "whole"]
    assert verdicts[2].reason.endswith("-11") and played == [5, 2, 3, 1, 2]


@needs_the_fault
@pytest.mark.parametrize(
    ("file", "status", "reason"),
    [
        ("pad-before-convolution", "refused", "another picture"),
        ("groups-of-two", "refused", "another picture"),
        ("groups-of-six", "unchecked", "crashed (SIG"),
    ],
)
def test_a_fault_of_the_engine_is_found_and_costs_that_check_alone(file: str, status: str, reason: str) -> None:
    """The minimal files of ``docs/upstream.md``."""
    ((placement, *_),) = place_file(UPSTREAM / f"litert-gpu-{file}.tflite").values()
    assert placement.accelerator == "litert-gpu"
    assert placement.status == status and reason in placement.reason
    (after,) = play([RIGHT], "litert-gpu", "fp32")
    assert after.status == "whole"


def test_what_is_recorded_is_of_accelerators_that_execute() -> None:
    for name, tables in operators.read().items():
        assert ACCELERATORS[name].executes and accelerators.engine(name)
        for records in tables.values():
            assert len(records) > 50
