"""Every command, as a user or a script meets it: output, exit codes, and bad input without a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pocketlens
from pocketlens import images
from pocketlens.converters import graph as hub
from pocketlens.recipe import Recipe
from tests.generators import picture, seeded, small_graph

RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]
license = "MIT"
[targets]
onnx = ["fp32"]
tflite = ["fp16"]
[budget]
frame_ms = 10000
"""


def call(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [sys.executable, "-m", "pocketlens", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in found.stderr, found.stderr
    assert found.returncode == code, found
    return found


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "small.bundle"
    pocketlens.build(Recipe.parse(RECIPE), path, generator=seeded(), bench=False)
    return path


@pytest.mark.parametrize(
    "command", ["build", "convert", "run", "bench", "verify", "inspect", "optimize", "quantize", "doctor", "demo"]
)
def test_every_help_shows_an_example(command: str) -> None:
    assert f"Example: pocketlens {command}" in call(command, "--help").stdout


def test_help_names_every_command() -> None:
    shown = call("--help").stdout
    assert all(
        word in shown
        for word in ("build", "convert", "run", "bench", "verify", "inspect", "optimize", "quantize", "doctor", "demo")
    )


def test_run_keeps_size_and_alpha(bundle: Path, tmp_path: Path) -> None:
    alpha = np.full((50, 70), 128, np.uint8)
    images.write(tmp_path / "a.png", picture(50, 70), alpha)
    Image.fromarray(picture(20, 20)[..., 0]).save(tmp_path / "grey.jpg")
    Image.fromarray(picture(1, 1)).save(tmp_path / "tiny.png")
    call("run", bundle, tmp_path / "a.png", tmp_path / "grey.jpg", tmp_path / "tiny.png", "-o", tmp_path / "out")
    found = images.decode(tmp_path / "out/a.png")
    assert found.picture.shape == (50, 70, 3) and found.alpha is not None and (found.alpha == 128).all()
    assert images.read(tmp_path / "out/grey.png").shape == (20, 20, 3)
    assert images.read(tmp_path / "out/tiny.png").shape == (1, 1, 3)


def test_run_says_what_is_wrong(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    assert (
        "cannot be read as a picture" in call("run", bundle, tmp_path / "bad.png", "-o", tmp_path / "o", code=2).stderr
    )
    assert "does not exist" in call("run", tmp_path / "none", tmp_path / "bad.png", code=2).stderr
    images.write(tmp_path / "a.png", picture(8, 8))
    images.write(tmp_path / "b/a.png", picture(8, 8))
    assert "would both become" in call("run", bundle, tmp_path / "a.png", tmp_path / "b/a.png", code=2).stderr
    before = (tmp_path / "a.png").read_bytes()
    assert "replace the picture" in call("run", bundle, tmp_path / "a.png", "-o", tmp_path / "b/..", code=2).stderr
    assert (tmp_path / "a.png").read_bytes() == before
    assert "no runtime" in call("run", bundle, tmp_path / "a.png", "--runtime", "tensorrt", code=2).stderr


def test_verify_passes_then_catches_one_changed_byte(bundle: Path, tmp_path: Path) -> None:
    found = json.loads(call("verify", bundle, "--json").stdout)
    assert found["verdict"] == "pass"
    import shutil

    copied = tmp_path / "copy.bundle"
    shutil.copytree(bundle, copied)
    target = next((copied / "artifacts").glob("*.tflite"))
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    assert json.loads(call("verify", copied, "--json", code=1).stdout)["verdict"] == "fail"


def test_bench_gates(bundle: Path, tmp_path: Path) -> None:
    found = json.loads(
        call("bench", bundle, "--seconds", "0.2", "--threads", "1", "-o", tmp_path / "m.json", "--json").stdout
    )
    assert found["verdict"] == "pass"
    assert all(
        {"p50_ms", "p90_ms", "p95_ms", "p99_ms", "first_ms", "load_ms", "memory_mb"} <= set(s)
        for s in found["subjects"]
    )
    assert json.loads((tmp_path / "m.json").read_text())["subjects"][0]["timing"]["rounds"]
    shown = call("bench", bundle, "--seconds", "0.2", "--frame-ms", "0.001", code=1).stdout
    assert "fail" in shown and "p50 ms" in shown
    assert "give one" in call("bench", bundle, "--fps", "30", "--frame-ms", "33", code=2).stderr


def test_a_device_that_is_not_there_costs_the_others_nothing(bundle: Path, tmp_path: Path) -> None:
    words = ("--device", "ssh://127.0.0.1:1", "--device", "local", "--seconds", "0.1", "--threads", "1")
    more = ("-o", tmp_path / "out", "--report", tmp_path / "r.html", "--history", tmp_path / "h", "--json")
    found = json.loads(call("bench", bundle, *words, "--ssh-config", "/dev/null", *more, code=3).stdout)
    gone, here = found["devices"]
    assert "cannot be reached" in gone["error"]["what"] and here["error"] is None
    assert {row["device"] for row in found["subjects"]} == {"local"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["local.json"]
    assert "Latency over time" in (tmp_path / "r.html").read_text() and len(list((tmp_path / "h").iterdir())) == 1
    assert "is no device" in call("bench", bundle, "--device", "usb:1", code=2).stderr


def test_convert_and_inspect_an_onnx_file(tmp_path: Path) -> None:
    hub.save(small_graph(), tmp_path / "mine.onnx")
    found = json.loads(
        call(
            "convert", tmp_path / "mine.onnx", "-t", "tflite", "-p", "fp16", "-o", tmp_path, "--size", "32x48", "--json"
        ).stdout
    )
    assert (tmp_path / "tflite-fp16-32x48.tflite").is_file()
    assert found["artifacts"][0]["psnr"] > 50
    shown = json.loads(call("inspect", tmp_path / "mine.onnx", "--size", "32x48", "--json").stdout)
    assert shown["refusals"] == {"onnx": [], "openvino": [], "tflite": [], "coreml": []}
    assert shown["operators"]["Conv"] == 3
    for wrong in ("32", "axb", "0x0", "99999x8"):
        assert "is not a size" in call("inspect", tmp_path / "mine.onnx", "--size", wrong, code=2).stderr


def test_inspect_explains_in_80_columns(tmp_path: Path) -> None:
    hub.save(small_graph(), tmp_path / "mine.onnx")
    every = [word for target in ("onnx", "openvino", "tflite", "coreml") for word in ("-t", target)]
    shown = call("inspect", tmp_path / "mine.onnx", "--size", "32x48", "--profile", "--threads", "1", *every).stdout
    assert "measured in onnxruntime" in shown and "alone ms" in shown
    assert max(map(len, shown.splitlines())) <= 80
    found = json.loads(
        call("inspect", tmp_path / "mine.onnx", "--size", "32x48", "--explain", "--gmacs", "1", "--json").stdout
    )
    assert found["machine"]["gmacs"] == 1 and found["sides"][1]["operators"]["Conv"] == 3


def test_optimize_refuses_in_words(tmp_path: Path) -> None:
    assert "is no device" in call("optimize", "builtin:cartoon", "--device", "gpu", code=2).stderr
    assert "no target" in call("optimize", "builtin:cartoon", "-t", "tensorrt", code=2).stderr


def test_quantize_shows_the_front_and_refuses(tmp_path: Path) -> None:
    hub.save(small_graph(), tmp_path / "small.onnx")
    common = ("quantize", tmp_path / "small.onnx", "-t", "openvino", "--size", "32x48", "--no-bench", "--points", "2")
    shown = call(*common, "-o", tmp_path / "out").stdout
    assert "front.png" in shown and "every layer" in shown
    assert (tmp_path / "out/openvino-int8-32x48.xml").is_file()
    found = json.loads(call(*common, "--psnr", "300", "--json", code=1).stdout)
    assert found["fronts"][0]["chosen"] is None and "is refused" in found["fronts"][0]["text"]
    assert len(found["fronts"][0]["points"]) == 2
    assert "codes nothing" in call("quantize", "builtin:cartoon", "-p", "fp16", code=2).stderr


def test_inspect_shows_a_bundle(bundle: Path) -> None:
    assert "tflite-fp16-32x48" in call("inspect", bundle).stdout


def test_bad_recipes_and_sources(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE.replace("license", "licence"))
    assert "did you mean 'license'?" in call("build", recipe, code=2).stderr
    recipe.write_text(RECIPE.replace('license = "MIT"', 'source = "none.onnx"'))
    assert "does not exist" in call("build", recipe, code=2).stderr
    recipe.write_text(RECIPE)
    assert "source" in call("build", recipe, code=2).stderr
    assert "cannot be read" in call("build", tmp_path / "none.toml", code=2).stderr
    assert "no target" in call("convert", "builtin:cartoon", "-t", "tensorrt", code=2).stderr
    assert "no precision" in call("convert", "builtin:cartoon", "-p", "int3", code=2).stderr


def test_doctor_lists_runtimes() -> None:
    found = json.loads(call("doctor", "--json").stdout)
    assert found["playable"] is True
    assert {"onnxruntime", "openvino", "litert", "coreml", "mil"} <= {c["name"] for c in found["checks"]}


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pocketlens", "verify", str(tmp_path / "none"), "--debug"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" in found.stderr
