import json
from pathlib import Path

from pocketlens.targets import TARGETS
from tests.cli.calls import call


def test_inspect_an_onnx_file(model: Path) -> None:
    shown = json.loads(call("inspect", model, "--size", "32x48", "--json").stdout)
    assert shown["refusals"] == {target: [] for target in TARGETS}
    assert shown["operators"]["Conv"] == 3
    for wrong in ("32", "axb", "0x0", "99999x8"):
        assert "is not a size" in call("inspect", model, "--size", wrong, code=2).stderr


def test_inspect_shows_a_bundle(bundle: Path) -> None:
    assert "tflite-fp16-32x48" in call("inspect", bundle).stdout
