import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketlens.bench.document import Document
from pocketlens.bench.measure import bench_bundle
from pocketlens.bench.selection import Selection, select_cases
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.errors import InputError, MissingError
from tests.bench.conftest import QUICK

Edit = Callable[[Path, Callable[[dict], None]], None]


def labels(document: Document) -> list[str]:
    return [result.label for result in document.results]


def test_a_zip_is_measured_against_its_golden_pictures(zipped: Path) -> None:
    document = bench_bundle(zipped, Selection(threads=(1,)), settings=QUICK)
    assert labels(document) == [
        "onnx-fp32-48x64 in onnxruntime, 1 thread",
        "openvino-fp32-48x64 in openvino, 1 thread",
    ]
    for result in document.results:
        assert result.failure is None and result.blocks and result.artifact.size == (48, 64)
        assert result.check is not None and result.check.psnr >= result.check.limit == 45


def test_chosen_artifacts_and_runtimes(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        both = select_cases(opened, Selection(runtimes=["openvino", "onnxruntime"]))
        assert [(one.artifact, one.runtime) for one in both] == [
            ("onnx-fp32-48x64", "onnxruntime"),
            ("onnx-fp32-48x64", "openvino"),
            ("openvino-fp32-48x64", "openvino"),
        ]
        (one,) = select_cases(opened, Selection(["openvino-fp32-48x64"], threads=(2,)))
        assert (one.runtime, one.threads, one.target) == ("openvino", 2, "openvino")


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


def test_an_altered_artifact_is_refused(bundle: Path) -> None:
    artifact = next((bundle / "artifacts").glob("*.onnx"))
    artifact.write_bytes(artifact.read_bytes() + b"\0")
    with pytest.raises(InputError, match="not the file that was verified"):
        bench_bundle(bundle, settings=QUICK)


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML itself runs on macOS")
def test_the_first_runtime_that_is_usable_here_is_taken(full_spec: BundleSpec, tmp_path: Path) -> None:
    write(full_spec, tmp_path / "full.bundle")
    with open_bundle(tmp_path / "full.bundle") as opened:
        chosen = {one.artifact: one.runtime for one in select_cases(opened)}
    assert chosen["coreml-fp16-48x64"] == "mil"
    assert chosen["onnx-fp32-48x64"] == "onnxruntime"


def test_nothing_to_play_here_is_an_error_that_says_what_to_install(full_spec: BundleSpec, tmp_path: Path) -> None:
    write(full_spec, tmp_path / "full.bundle")
    with pytest.raises(MissingError, match="macOS") as caught:
        bench_bundle(tmp_path / "full.bundle", Selection(runtimes=["coreml"]), settings=QUICK)
    assert "pip install" in caught.value.do


def test_a_bundle_without_a_picture_of_the_size(bundle: Path, edit: Edit) -> None:
    edit(bundle, lambda manifest: manifest.update(golden=[]))
    with pytest.raises(InputError, match="no golden picture of 48 x 64"):
        bench_bundle(bundle, settings=QUICK)
