import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.local import Local
from pocketlens.bench.measure import bench_bundle, measure
from pocketlens.bench.selection import Selection, select_cases
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.errors import InputError, MissingError
from pocketlens.images import Picture
from tests.bench.cases import QUICK

Edit = Callable[[Path, Callable[[dict], None]], None]


def test_several_settings_take_turns_in_one_run(bundle: Path) -> None:
    pictures: dict[str, Picture] = {}
    selection = Selection(threads=(1, 2), compute_precisions=("fp32",))
    results = bench_bundle(bundle, selection, settings=QUICK, pictures=pictures).results
    assert [result.label for result in results] == [
        "onnx-fp32-48x64 in onnxruntime, 1 thread",
        "onnx-fp32-48x64 in onnxruntime, 2 threads",
        "openvino-fp32-48x64 in openvino, 1 thread, computing in fp32",
        "openvino-fp32-48x64 in openvino, 2 threads, computing in fp32",
    ]
    assert [result.effective.threads for result in results] == [1, 2, 1, 2]
    assert all(result.failure is None and result.blocks for result in results)
    # In turns: each has played before one plays for the second time.
    ends = sorted((block.at_s, result.label) for result in results for block in result.blocks)
    assert len({label for _, label in ends[:4]}) == 4
    assert {label: picture.shape for label, picture in pictures.items()} == {
        result.label: (48, 64, 3) for result in results
    }


def test_delegates_reach_the_runtime(lite: BenchmarkCase) -> None:
    from dataclasses import replace

    ways = [replace(lite, accelerator=name) for name in ("xnnpack", "none")]
    fast, plain = measure(ways, QUICK).results
    assert (fast.effective.delegate, plain.effective.delegate) == ("xnnpack", "none")
    assert fast.failure is None and plain.failure is None and fast.blocks and plain.blocks


def test_a_runtime_that_has_none_of_them_plays_as_it_is(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        cases = select_cases(opened, Selection(accelerators=("xnnpack", "nnapi"), compute_precisions=("bf16",)))
        assert [(case.runtime, case.accelerator, case.compute_precision) for case in cases] == [
            ("onnxruntime", "xnnpack", None),
            ("onnxruntime", "nnapi", None),
            ("openvino", None, "bf16"),
        ]
        with pytest.raises(MissingError, match=r"on local, no runtime that plays these .* has the accelerator none"):
            select_cases(opened, Selection(accelerators=("none",)))


def test_kinds_of_processors_and_the_runtimes_own_names_are_told_apart(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        cases = select_cases(opened, Selection(accelerators=("xnnpack", "cpu", "npu")))
    assert [(case.runtime, case.requested.accelerator, case.requested.delegate) for case in cases] == [
        ("onnxruntime", None, "xnnpack"),
        ("onnxruntime", "cpu", None),
        ("openvino", "cpu", None),
        ("openvino", "npu", None),
    ]
    assert cases[2].options.accelerator == "cpu" and cases[2].requested.text == "cpu"


def test_the_accelerator_that_was_requested_stands_in_the_document(bundle: Path) -> None:
    selection = Selection(runtimes=("openvino",), artifacts=("openvino-fp32-48x64",), accelerators=("cpu",))
    (result,) = bench_bundle(bundle, selection, settings=QUICK).results
    assert result.failure is None and result.blocks and result.requested.accelerator == "cpu"
    assert result.label == "openvino-fp32-48x64 in openvino, cpu"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"accelerators": ("xnpack",)}, "no runtime has the accelerator 'xnpack'"),
        ({"compute_precisions": ("int7",)}, "no runtime has the compute precision 'int7'"),
        ({"runtimes": ("tensorrt",)}, "no runtime 'tensorrt'"),
    ],
)
def test_what_nobody_has_is_a_mistake(wrong: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Selection(**wrong)  # type: ignore[arg-type]


def test_interpreters_take_no_settings() -> None:
    assert len(Selection(threads=(1, 2)).options("mil", Local())) == 1


def test_chosen_artifacts_and_runtimes(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        both = select_cases(opened, Selection(runtimes=["openvino", "onnxruntime"]))
        assert [(case.artifact, case.runtime) for case in both] == [
            ("onnx-fp32-48x64", "onnxruntime"),
            ("onnx-fp32-48x64", "openvino"),
            ("openvino-fp32-48x64", "openvino"),
        ]
        (case,) = select_cases(opened, Selection(["openvino-fp32-48x64"], threads=(2,)))
        assert (case.runtime, case.threads, case.target) == ("openvino", 2, "openvino")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"artifacts": ["tflite-int8"]}, "tflite-int8"),
        ({"runtimes": ["tensorrt"]}, "no runtime 'tensorrt'"),
        ({"runtimes": ["litert"]}, "plays none"),
        ({"artifacts": []}, "plays none|nothing"),
    ],
)
def test_wrong_choices_are_refused(bundle: Path, wrong: dict[str, list[str]], named: str) -> None:
    with pytest.raises(InputError, match=named):
        bench_bundle(bundle, Selection(**wrong), settings=QUICK)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML itself runs on macOS")
def test_the_first_runtime_that_is_usable_here_is_taken(full_spec: BundleSpec, tmp_path: Path) -> None:
    write(full_spec, tmp_path / "full.bundle")
    with open_bundle(tmp_path / "full.bundle") as opened:
        runtimes = {case.artifact: case.runtime for case in select_cases(opened)}
    assert runtimes["coreml-fp16-48x64"] == "mil"
    assert runtimes["onnx-fp32-48x64"] == "onnxruntime"


def test_nothing_to_play_here_is_an_error_that_says_what_to_install(full_spec: BundleSpec, tmp_path: Path) -> None:
    write(full_spec, tmp_path / "full.bundle")
    with pytest.raises(MissingError, match="macOS") as caught:
        bench_bundle(tmp_path / "full.bundle", Selection(runtimes=["coreml"]), settings=QUICK)
    assert "pip install" in caught.value.do


def test_a_bundle_without_a_picture_of_the_size(bundle: Path, edit: Edit) -> None:
    edit(bundle, lambda manifest: manifest.update(golden=[]))
    with pytest.raises(InputError, match="no golden picture of 48 x 64"):
        bench_bundle(bundle, settings=QUICK)
