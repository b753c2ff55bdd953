import json
from pathlib import Path

from tests.cli.calls import call


def test_convert_an_onnx_file(model: Path, tmp_path: Path) -> None:
    converted = json.loads(
        call("convert", model, "-t", "tflite", "-p", "fp16", "-o", tmp_path, "--size", "32x48", "--json").stdout
    )
    assert (tmp_path / "tflite-fp16-32x48.tflite").is_file()
    assert converted["artifacts"][0]["psnr"] > 50


def test_targets_and_precisions_may_be_lists(model: Path, tmp_path: Path) -> None:
    call("convert", model, "-t", "onnx,tflite", "-p", "fp16,fp32", "-o", tmp_path, "--size", "32x48")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{target}-{precision}-32x48.{target}" for target in ("onnx", "tflite") for precision in ("fp32", "fp16")
    }


def test_convert_refuses() -> None:
    assert "no target" in call("convert", "builtin:cartoon", "-t", "tensorrt", code=2).stderr
    assert "no precision" in call("convert", "builtin:cartoon", "-p", "int3", code=2).stderr
