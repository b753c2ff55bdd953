import json
from pathlib import Path

import numpy as np
from PIL import Image

from pocketlens import images
from tests.cli.calls import call
from tests.generators import picture


def test_run_keeps_size_and_alpha(bundle: Path, tmp_path: Path) -> None:
    alpha = np.full((50, 70), 128, np.uint8)
    images.write(tmp_path / "a.png", picture(50, 70), alpha)
    Image.fromarray(picture(20, 20)[..., 0]).save(tmp_path / "grey.jpg")
    Image.fromarray(picture(1, 1)).save(tmp_path / "tiny.png")
    call("run", bundle, tmp_path / "a.png", tmp_path / "grey.jpg", tmp_path / "tiny.png", "-o", tmp_path / "out")
    decoded = images.decode(tmp_path / "out/a.png")
    assert decoded.picture.shape == (50, 70, 3) and decoded.alpha is not None and (decoded.alpha == 128).all()
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


def test_an_accelerator_is_a_kind_of_processor_or_a_runtimes_own_name(bundle: Path, tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", picture(32, 48))
    common = ("run", bundle, tmp_path / "a.png", "-o", tmp_path / "out", "--json")
    xnnpack = json.loads(call(*common, "--runtime", "litert", "--accelerator", "xnnpack").stdout)
    assert xnnpack["session"]["runtime"] == "litert"
    assert json.loads(call(*common, "--runtime", "onnxruntime", "--accelerator", "cpu").stdout)["pictures"]
    assert "'tpu'" in call(*common, "--runtime", "onnxruntime", "--accelerator", "tpu", code=2).stderr
    assert "'fp8'" in call(*common, "--runtime", "openvino", "--compute-precision", "fp8", code=2).stderr


def test_why_says_why_this_artifact_plays(bundle: Path, tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", picture(32, 48))
    shown = call("run", bundle, tmp_path / "a.png", "-o", tmp_path / "out", "--why").stdout
    assert "onnx-fp32-32x48" in shown and len(shown.splitlines()) > 3
