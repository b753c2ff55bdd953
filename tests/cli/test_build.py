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
