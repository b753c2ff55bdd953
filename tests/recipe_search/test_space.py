"""The space of a recipe, and candidates drawn from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pocketlens.errors import InputError
from pocketlens.models.source import resolve
from pocketlens.recipe import Recipe
from pocketlens.recipe_search.space import Candidate, Space
from tests.recipe_search.conftest import write_recipe

RECIPE = """
[filter]
name = "tiny"
source = "t.safetensors"
sizes = [[32, 32]]
[targets]
onnx = ["fp32", "int8"]
[search]
keep_float = ["head"]
sizes = [[32, 32], [16, 16]]
rewrites = ["safe", "none"]
runtimes = ["onnxruntime", "openvino"]
threads = [1, 2]
accelerators = ["cpu"]
int8_steps = [0, 30]
"""


class Last:
    """Draws the last choice, or the highest number, and names what it drew."""

    def __init__(self, **fixed: Any) -> None:
        self.fixed, self.names = fixed, list[str]()

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.names.append(name)
        return self.fixed.get(name, choices[-1])

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.names.append(name)
        return high

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.names.append(name)
        return high


def draw(folder: Path, draws: Last) -> tuple[Candidate, Recipe]:
    write_recipe(folder, RECIPE)
    recipe = Recipe.read(folder / "tiny.toml")
    return Space(recipe, resolve("t.safetensors", base=folder)).draw(draws), recipe


def test_a_candidate_is_a_recipe_that_reads_back(tmp_path: Path) -> None:
    draws = Last(student="pocket")
    candidate, recipe = draw(tmp_path, draws)
    own = candidate.recipe(recipe)
    assert Recipe.parse(own.text()) == own
    assert own.filter.sizes == ((16, 16),)
    assert own.targets.chosen() == {"onnx": ("int8",)}
    assert (own.rewrites.keep, own.quantize.search) == ("none", False)
    assert [(rule.setting, rule.match) for rule in own.quantize.rules] == [("float", "head")]
    assert own.compress is not None
    assert (own.compress.width, own.compress.blocks, own.compress.steps) == (64, 8, 4000)
    assert own.compress.int8_steps == 30
    assert draws.names == [
        "student", "file", "size", "head in float", "accelerator", "steps", "int8_steps", "width",
        "half_res_channels", "blocks", "rewrites", "onnx runtime", "threads",
    ]  # fmt: skip
    assert candidate.text == (
        "pocket 64/24 x 8 at 16x16, 4000 steps and 30 in int8, "
        "onnx-int8, openvino, 2 threads, cpu, rewrites none, float head"
    )


def test_a_student_of_a_float_file_has_no_steps_in_int8(tmp_path: Path) -> None:
    draws = Last(file="onnx fp32")
    candidate, _ = draw(tmp_path, draws)
    assert candidate.compress.int8_steps == 0
    assert "int8_steps" not in draws.names


def test_a_copy_has_a_share_and_no_width(tmp_path: Path) -> None:
    draws = Last()
    candidate, _ = draw(tmp_path, draws)
    assert (candidate.compress.cut, candidate.compress.macs) == ("ranks", 0.3)
    assert "share of ranks" in draws.names
    assert "width" not in draws.names


def test_an_onnx_file_has_no_copies(tmp_path: Path, example_folder: Path) -> None:
    source = resolve("wave.onnx", base=example_folder)
    text = '[filter]\nname = "wave"\nsource = "wave.onnx"\nsizes = [[32, 48]]\n[targets]\nonnx = ["fp32"]\n'
    assert Space(Recipe.parse(text), source).students == ("pocket",)
    with pytest.raises(InputError, match="cannot be pruned"):
        Space(Recipe.parse(text + '[search]\nstudents = ["ranks"]\n'), source)
