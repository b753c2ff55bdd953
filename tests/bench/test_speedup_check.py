"""An artifact in fewer bits has to be faster than its float twin."""

import json

from pocketlens.bench.result import Block, CaseResult
from pocketlens.bench.speedup_check import check_speedups, to_json, unpaid
from tests.bench.samples import blocks_of, document, result

SLOW = blocks_of(*[[40.0, 41.0, 40.5]] * 6)
FAST = blocks_of(*[[20.0, 21.0, 20.5]] * 6)
NEAR = blocks_of(*[[39.0, 42.0, 40.6], [41.0, 39.5, 40.2]] * 3)


def test_slower_or_as_fast_does_not_pay() -> None:
    twin = result(SLOW)
    for timed, faster in ((FAST, True), (NEAR, False), (SLOW, False)):
        (check,) = check_speedups(document(twin, result(timed, artifact="onnx-int8-64x64", precision="int8")))
        assert (check.faster, check.baseline) == (faster, "onnx-fp32-64x64")
        assert ("does not pay here" in check.reason) == (not faster)
        assert not check.slower


def test_integers_that_are_slower_wherever_they_were_timed_are_named() -> None:
    def made(precision: str, timed: tuple[Block, ...], **changes: object) -> CaseResult:
        return result(timed, artifact=f"onnx-{precision}-64x64", precision=precision, **changes)

    floats = result(FAST)
    slow, near = made("int8", SLOW), made("int8", blocks_of(*[[20.5, 21.2, 20.6]] * 6))
    assert unpaid(document(floats, slow)) == {
        "onnx-int8-64x64": "does not pay here: 0.51 times as fast as onnx-fp32-64x64: 40.5 ms a frame beside 20.5"
    }
    assert unpaid(document(floats, near)) == {}
    assert unpaid(document(floats, made("w8", SLOW))) == {}  # it is small
    fast = (made("int8", FAST, runtime="another"), result(SLOW, runtime="another"))
    assert unpaid(document(floats, slow, *fast)) == {}


def test_the_fastest_float_of_the_same_target_size_and_runtime_is_the_twin() -> None:
    half = result(FAST, artifact="onnx-fp16-64x64", precision="fp16")
    others = [
        result(FAST, artifact="tflite-fp32-64x64", target="tflite", runtime="litert"),
        result(FAST, artifact="onnx-fp32-32x32", size=(32, 32)),
    ]
    coded = result(NEAR, artifact="onnx-w8-64x64", precision="w8")
    (check,) = check_speedups(document(result(SLOW), half, *others, coded))
    assert check.baseline == "onnx-fp16-64x64"
    assert check_speedups(document(coded, *others)) == []
    assert json.loads(to_json([check]))["worth"][0]["faster"] is False


def test_what_was_not_timed_is_not_judged() -> None:
    coded = result(artifact="onnx-w8-64x64", precision="w8")
    assert check_speedups(document(result(SLOW), coded)) == []
