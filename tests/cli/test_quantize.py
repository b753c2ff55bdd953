import json
from pathlib import Path

import onnx

from pocketlens import images
from tests.cli.calls import call
from tests.generators import picture


def test_quantize_shows_the_front_and_refuses(model: Path, tmp_path: Path) -> None:
    common = ("quantize", model, "-t", "openvino", "--size", "32x48", "--no-bench", "--points", "2")
    shown = call(*common, "-o", tmp_path / "out").stdout
    assert "pareto.png" in shown and "every layer" in shown
    assert (tmp_path / "out/openvino-int8-32x48.xml").is_file()
    quantized = json.loads(call(*common, "--psnr", "300", "--json", code=1).stdout)
    assert quantized["fronts"][0]["chosen"] is None and "is refused" in quantized["fronts"][0]["text"]
    assert len(quantized["fronts"][0]["points"]) == 2
    assert "quantizes nothing" in call("quantize", "builtin:cartoon", "-p", "fp16", code=2).stderr


def test_quantize_takes_what_convert_takes(model: Path, tmp_path: Path) -> None:
    """The same ranges, licence, rewrites and pictures: refused in the same words, and written into the file."""
    pictures = tmp_path / "pictures"
    images.write(pictures / "a.png", picture(32, 48))
    common = (model, "-t", "onnx", "-p", "w8", "--size", "32x48", "-o", tmp_path / "out", "--license", "MIT")
    wrong = (
        (("--output-range", "5", "1"), "range"),
        (("--license", "NO SUCH"), "licence"),
        (("--rewrites", "no-such"), "no-such"),
        (("--judge", pictures, "--calibrate", pictures), "has seen"),
    )
    for words, reason in wrong:
        refused = [call(command, *common, *words, code=2).stderr for command in ("convert", "quantize")]
        assert refused[0] == refused[1] and reason in refused[0], refused
    call("quantize", *common, "--judge", pictures, "--rewrites", "none", "--no-bench", "--points", "1")
    properties = onnx.load(tmp_path / "out/onnx-w8-32x48.onnx").metadata_props
    assert {"license": "MIT"}.items() <= {entry.key: entry.value for entry in properties}.items()


def test_a_layer_to_keep_that_is_no_expression() -> None:
    for pattern, reason in (("(" * 500, "no regular expression"), ("conv\x1b[2J", "control character")):
        refused = call("quantize", "builtin:cartoon", "--keep-float", pattern, code=2).stderr
        assert "--keep-float" in refused and reason in refused and "\x1b" not in refused
