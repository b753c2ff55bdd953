import json
from pathlib import Path

from tests.cli.calls import call


def test_explain_fits_80_columns(model: Path) -> None:
    every = [word for target in ("onnx", "openvino", "tflite", "coreml") for word in ("-t", target)]
    shown = call("explain", model, "--size", "32x48", "--profile", "--threads", "1", *every).stdout
    assert "measured in onnxruntime" in shown and "alone ms" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_explain_as_json(model: Path) -> None:
    explained = json.loads(call("explain", model, "--size", "32x48", "--gmacs", "1", "--json").stdout)
    assert explained["machine"]["gmacs"] == 1 and explained["sides"][1]["operators"]["Conv"] == 3
