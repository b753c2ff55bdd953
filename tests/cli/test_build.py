import re
from pathlib import Path

from tests.cli.calls import call
from tests.cli.conftest import RECIPE


def test_bad_recipes_and_sources(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE.replace("license", "licence"))
    assert "did you mean 'license'?" in call("build", recipe, code=2).stderr
    recipe.write_text(RECIPE.replace('license = "MIT"', 'source = "none.onnx"'))
    assert "does not exist" in call("build", recipe, code=2).stderr
    recipe.write_text(RECIPE)
    assert "source" in call("build", recipe, code=2).stderr
    assert "does not exist" in call("build", tmp_path / "none.toml", code=2).stderr


def test_limits_that_do_not_hold_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        '[filter]\nname = "cartoon"\nsource = "builtin:cartoon"\nsizes = [[64, 64]]\n[gate]\npsnr = 100\nssim = 0.5\n'
        '[targets]\nonnx = ["fp32", "fp16"]\n[accelerators]\nlitert_gpu = "off"\n'
    )
    shown = call("build", tmp_path / "r.toml", "-o", tmp_path / "c.bundle", "--no-bench", code=1).stdout
    assert re.search(r"^PSNR [\d.]+ dB \(at least 100 dB\) does not hold: onnx-fp16-64x64$", shown, re.MULTILINE)
    assert "SSIM" not in shown.split("budget")[-1]
