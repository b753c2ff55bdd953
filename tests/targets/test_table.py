"""The one table of targets: what it says of files must agree with what emits, plays and rewrites them."""

import pytest

from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError
from pocketlens.precisions import PRECISIONS
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS, ArtifactSpec, target_named


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_names_what_exists(target) -> None:  # type: ignore[no-untyped-def]
    assert set(target.precision_names) <= set(PRECISIONS)
    assert "fp16" in target.precision_names and target.float_precision in ("fp32", "fp16")
    assert target.runtimes and all(target.suffix in RUNTIMES[name].suffixes for name in target.runtimes)
    assert registry.in_order(target.rewrites) == target.rewrites


def test_what_a_target_has_not() -> None:
    assert target_named("tflite").precision("fp16").name == "fp16"
    with pytest.raises(InputError, match="onnx has no precision 'w3'"):
        target_named("onnx").precision("w3")
    with pytest.raises(InputError, match=r"tflite has no precision 'palette6' \(coreml"):
        ArtifactSpec("tflite", "palette6", (64, 64))
    with pytest.raises(InputError, match="no target 'ncnn'"):
        ArtifactSpec("ncnn", "fp16", (64, 64))


def test_chips_are_named_whatever_the_case() -> None:
    snapdragon = TARGETS["qnn"]
    assert snapdragon.chip_names("fp16", ["SM8650", "sm8650"]) == ("sm8650",)
    assert "sm7750" in snapdragon.chip_names("int8") and "sm7750" not in snapdragon.chip_names("fp16")
    with pytest.raises(InputError, match="qnn has no chip 'sm1'") as caught:
        snapdragon.chip("sm1")
    assert "sm8650 (Snapdragon 8 Gen 3)" in caught.value.do
    with pytest.raises(InputError, match=r"sm7750 \(Snapdragon 7 Gen 4\) computes in integers only, not in fp16"):
        ArtifactSpec("qnn", "fp16", (64, 64), "sm7750")
    with pytest.raises(InputError, match="tflite has no chip"):
        ArtifactSpec("tflite", "fp16", (64, 64), "sm8650")
    assert ArtifactSpec("qnn", "int8", (64, 64)).id == "qnn-int8-64x64-sm8450"
