import json
import os
import re
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
    given = [tmp_path / name for name in ("a.png", "grey.jpg", "tiny.png")]
    assert "\n3 pictures, " in call("run", bundle, *given, "-o", tmp_path / "out").stdout
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
    # Which of both depends on whether the machine was quiet enough for its measurements to count.
    assert re.search(r"^(onnx-fp32|tflite-fp16)-32x48 in \w+: ", shown, re.MULTILINE) and len(shown.splitlines()) > 3
    assert "pictures, " not in shown, "one picture has no rate"


def test_a_folder_loses_no_picture_because_another_is_broken(bundle: Path, tmp_path: Path) -> None:
    for index in range(12):
        images.write(tmp_path / f"in/{index:02}.png", picture(40 + index, 50))
    (tmp_path / "in/00.png").write_bytes(b"no picture")
    (tmp_path / "in/05.jpg").write_bytes((tmp_path / "in/05.png").read_bytes()[:300])
    (tmp_path / "in/05.png").unlink()
    done = call("run", bundle, tmp_path / "in", "-o", tmp_path / "out", "--json", code=1)
    report = json.loads(done.stdout)
    assert len(report["pictures"]) == 10
    assert sorted(Path(name).name for name in report["broken"]) == ["00.png", "05.jpg"]
    assert done.stderr.count("left out: ") == 2
    for index in set(range(12)) - {0, 5}:
        assert images.read(tmp_path / f"out/{index:02}.png").shape == (40 + index, 50, 3)


def test_resume_leaves_out_what_is_there_and_whole(bundle: Path, tmp_path: Path) -> None:
    for name in "abcd":
        images.write(tmp_path / f"in/{name}.png", picture(30, 40))
    run = ("run", bundle, tmp_path / "in", "-o", tmp_path / "out", "--json")
    call(*run)
    before = {name: (tmp_path / f"out/{name}.png").read_bytes() for name in "abcd"}
    (tmp_path / "out/a.png").unlink()
    (tmp_path / "out/b.png").write_bytes(before["b"][:-1])
    os.utime(tmp_path / "out/c.png", (0, 0))
    report = json.loads(call(*run, "--resume").stdout)
    assert [Path(row["picture"]).name for row in report["pictures"]] == ["a.png", "b.png", "c.png"]
    assert report["already_there"] == 1
    assert {name: (tmp_path / f"out/{name}.png").read_bytes() for name in "abcd"} == before
