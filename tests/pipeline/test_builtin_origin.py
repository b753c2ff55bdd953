from pathlib import Path

import onnx
import pytest

from pocketlens import convert
from pocketlens.errors import InputError
from pocketlens.models.zoo import BUILTINS
from pocketlens.pipeline.builtin_origin import with_builtin_origin
from pocketlens.pipeline.commands.distill import recipe_of_student
from pocketlens.recipe import Recipe


def _recipe(source: str, **said: object) -> Recipe:
    return Recipe(filter={"name": "mine", "source": source, **said}, targets={"onnx": ["fp32"]})


@pytest.mark.parametrize("name", BUILTINS)
def test_a_filter_that_ships_brings_its_licence_and_whom_to_name(name: str) -> None:
    shipped = Recipe.read(BUILTINS[name].recipe).filter
    about = with_builtin_origin(_recipe(f"builtin:{name}")).filter
    assert (about.license, about.attribution) == (shipped.license, shipped.attribution)
    assert about.license == BUILTINS[name].license and about.attribution and about.name == "mine"


def test_so_does_its_student() -> None:
    recipe = recipe_of_student(_recipe("builtin:gallery"), Path(), Path("student.safetensors"), "pocket")
    assert recipe.filter.license == "Apache-2.0" and "Magenta" in recipe.filter.attribution[0]


def test_what_a_recipe_says_stays() -> None:
    for said in ({"license": "MIT"}, {"attribution": ("me",)}):
        assert with_builtin_origin(recipe := _recipe("builtin:cartoon", **said)) is recipe
    assert with_builtin_origin(recipe := _recipe("mine.onnx")) is recipe
    with pytest.raises(InputError, match="no filter 'none' ships"):
        with_builtin_origin(_recipe("builtin:none"))


def test_a_file_without_a_bundle_names_the_licence(tmp_path: Path) -> None:
    convert("builtin:cartoon", targets=["onnx"], precisions=["fp32"], output=tmp_path, size=(64, 64))
    model = onnx.load(tmp_path / "onnx-fp32-64x64.onnx")
    assert {entry.key: entry.value for entry in model.metadata_props}["license"] == "Apache-2.0"
