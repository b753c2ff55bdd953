import json
from pathlib import Path

from tests.cli.calls import call


def test_quantize_shows_the_front_and_refuses(model: Path, tmp_path: Path) -> None:
    common = ("quantize", model, "-t", "openvino", "--size", "32x48", "--no-bench", "--points", "2")
    shown = call(*common, "-o", tmp_path / "out").stdout
    assert "front.png" in shown and "every layer" in shown
    assert (tmp_path / "out/openvino-int8-32x48.xml").is_file()
    quantized = json.loads(call(*common, "--psnr", "300", "--json", code=1).stdout)
    assert quantized["fronts"][0]["chosen"] is None and "is refused" in quantized["fronts"][0]["text"]
    assert len(quantized["fronts"][0]["points"]) == 2
    assert "codes nothing" in call("quantize", "builtin:cartoon", "-p", "fp16", code=2).stderr
