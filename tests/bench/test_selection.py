from pathlib import Path

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.local import Local
from pocketlens.bench.measure import bench_bundle, measure
from pocketlens.bench.selection import Selection, select_cases
from pocketlens.bundle.read import open_bundle
from pocketlens.errors import InputError, MissingError
from tests.bench.conftest import QUICK


def test_several_settings_take_turns_in_one_run(bundle: Path) -> None:
    pictures = {}
    choice = Selection(threads=(1, 2), precisions=("fp32",))
    document = bench_bundle(bundle, choice, settings=QUICK, pictures=pictures)
    assert [one.label for one in document.subjects] == [
        "onnx-fp32-48x64 in onnxruntime, 1 thread",
        "onnx-fp32-48x64 in onnxruntime, 2 threads",
        "openvino-fp32-48x64 in openvino, 1 thread, computing in fp32",
        "openvino-fp32-48x64 in openvino, 2 threads, computing in fp32",
    ]
    assert [one.effective_threads for one in document.subjects] == [1, 2, 1, 2]
    assert all(one.failure is None and one.rounds for one in document.subjects)
    # In turns: each has played before one plays for the second time.
    ends = sorted((one.at_s, result.label) for result in document.subjects for one in result.rounds)
    assert len({label for _, label in ends[:4]}) == 4
    assert {label: made.shape for label, made in pictures.items()} == {
        one.label: (48, 64, 3) for one in document.subjects
    }


def test_delegates_reach_the_runtime(lite: BenchmarkCase) -> None:
    from dataclasses import replace

    ways = [replace(lite, delegate=one) for one in ("xnnpack", "none")]
    fast, plain = measure(ways, QUICK).subjects
    assert (fast.delegate, plain.delegate) == ("xnnpack", "none")
    assert fast.failure is None and plain.failure is None and fast.rounds and plain.rounds


def test_a_runtime_that_has_none_of_them_plays_as_it_is(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        found = select_cases(opened, Selection(delegates=("xnnpack", "cpu"), precisions=("bf16",)))
        told = [(one.runtime, one.delegate, one.compute) for one in found]
        assert told == [("onnxruntime", "xnnpack", None), ("onnxruntime", "cpu", None), ("openvino", None, "bf16")]
        with pytest.raises(MissingError, match="nothing that local plays of this has the delegate gpu"):
            select_cases(opened, Selection(delegates=("gpu",)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"delegates": ("xnpack",)}, "no runtime has the delegate 'xnpack'"),
        ({"precisions": ("int7",)}, "no runtime has the precision 'int7'"),
        ({"runtimes": ("tensorrt",)}, "no runtime 'tensorrt'"),
    ],
)
def test_what_nobody_has_is_a_mistake(wrong: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Selection(**wrong)  # type: ignore[arg-type]


def test_interpreters_take_no_settings() -> None:
    assert len(Selection(threads=(1, 2)).options("mil", Local())) == 1
