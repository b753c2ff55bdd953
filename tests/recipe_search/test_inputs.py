"""What a search copies before it begins."""

from pathlib import Path

import numpy as np
import pytest

from pocketlens import files, images
from pocketlens.errors import InputError
from pocketlens.recipe import Recipe
from pocketlens.recipe_search.inputs import KIND, freeze
from pocketlens.recipe_search.transport import pack, unpack
from tests.recipe_search.conftest import RECIPE, write_recipe


def test_everything_that_a_recipe_names_is_copied(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, RECIPE + '[pictures]\njudge = "judge"\ntrain = "more/train"\n')
    for name in ("judge", "more/train"):
        (tmp_path / name).mkdir(parents=True)
        images.write(tmp_path / name / "a.png", np.full((32, 32, 3), len(name), np.uint8))
    inputs = freeze(Recipe.read(path), tmp_path)
    assert inputs.recipe.filter.source == "source/t.safetensors"
    assert (inputs.recipe.pictures.judge, inputs.recipe.pictures.train) == ("judge", "train")
    copied = inputs.folder
    assert files.sha256(copied / "source" / "t.safetensors") == files.sha256(tmp_path / "t.safetensors")
    assert images.read(copied / "train" / "a.png")[0, 0, 0] == len("more/train")
    images.write(tmp_path / "judge" / "a.png", np.zeros((32, 32, 3), np.uint8))
    changed = freeze(Recipe.read(path), tmp_path)
    assert changed.key != inputs.key
    assert changed.pictures != inputs.pictures


def test_what_ships_travels_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.parse('[filter]\nname = "a"\nsource = "builtin:cartoon"\n[targets]\nonnx = ["fp32"]\n')
    entry = f"{KIND}/{freeze(recipe, tmp_path).key}"
    data = pack(entry)
    assert data is not None
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "there"))
    unpack(entry, data)
    assert files.lookup(*entry.split("/")) is not None


def test_code_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\n\ndef make():\n    return torch.nn.Conv2d(3, 3, 1)\n")
    recipe = Recipe.parse('[filter]\nname = "a"\nsource = "mine.py:make"\n[targets]\nonnx = ["fp32"]\n')
    with pytest.raises(InputError, match=r"the source mine.py:make is code"):
        freeze(recipe, tmp_path)
