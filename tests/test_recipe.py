"""A recipe is right to the last key, or the message says which is wrong and what was meant."""

import time
from pathlib import Path

import pytest

from pocketlens.errors import InputError
from pocketlens.recipe import RENAMED_KEYS, Compress, Recipe

GOOD = """
[filter]
name = "wave"
source = "wave.npz"
architecture = "fast-style"
sizes = [[256, 256], [128, 192]]
license = "MIT"

[targets]
onnx = ["fp32", "fp16"]
coreml = ["fp16"]

[gate]
ssim = 0.95

[budget]
fps = 30
"""


def test_a_good_recipe() -> None:
    recipe = Recipe.parse(GOOD)
    assert recipe.filter.sizes == ((256, 256), (128, 192))
    assert recipe.targets.chosen() == {"onnx": ("fp32", "fp16"), "coreml": ("fp16",)}


@pytest.mark.parametrize(
    ("change", "to", "said"),
    [
        ("license =", "licence =", "filter.licence: unknown key; did you mean 'license'?"),
        ("[budget]", "[budgets]", "budgets: unknown key; did you mean 'budget'?"),
        ("[256, 256]", "[256, 0]", "filter.sizes.0.1"),
        ("[256, 256]", "[256, -4]", "filter.sizes.0.1"),
        ("[256, 256]", "[100000, 256]", "filter.sizes.0.0"),
        ("[[256, 256], [128, 192]]", "[]", "filter.sizes"),
        ('["fp32", "fp16"]', '["fp64"]', "targets.onnx.0: onnx has no precision 'fp64'; choose from fp32, fp16"),
        ('["fp32", "fp16"]', '["fp16", "palette6"]', "targets.onnx.1: onnx has no precision 'palette6'"),
        ("ssim = 0.95", "ssim = 1.5", "gate.ssim"),
        ("fps = 30", "fps = 30\nframe_ms = 33", "give one"),
        ("fps = 30", "fps = nan", "budget.fps"),
        ('name = "wave"', 'name = "../wave"', "filter.name"),
        ('name = "wave"', "", "filter.name: missing"),
        ('onnx = ["fp32", "fp16"]\ncoreml = ["fp16"]', "", "no target is chosen"),
        ("[gate]", "[gate", "not TOML"),
        ("[gate]", f"deep = {'[' * 5000}{']' * 5000}\n[gate]", "too deep"),
        ("fps = 30", 'fps = "30"', "budget.fps"),
        ("[128, 192]", "[256, 256]", "twice"),
        ('name = "wave"', 'name = "wave"\nversion = "../2"', "filter.version"),
        ('name = "wave"', 'name = "wave"\ndescription = "\\u001b[31mred"', "control character"),
        ('name = "wave"', 'name = "wave"\ninput_range = [0, 1e-320]', "filter: input_range"),
        ('name = "wave"', 'name = "wave"\noutput_range = [0, 1e300]', "filter: output_range"),
    ],
)
def test_each_mistake_is_named(change: str, to: str, said: str) -> None:
    assert change in GOOD
    with pytest.raises(InputError) as caught:
        Recipe.parse(GOOD.replace(change, to))
    assert said in str(caught.value)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="is not text"):
        Recipe.read(tmp_path / "binary.toml")
    with pytest.raises(InputError, match="does not exist"):
        Recipe.read(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a folder"):
        Recipe.read(tmp_path)


def test_only_the_entry_that_is_wrong_is_named() -> None:
    with pytest.raises(InputError) as caught:
        Recipe.parse(GOOD.replace("[[256, 256], [128, 192]]", "[[256, 0]]"))
    assert len(caught.value.what.splitlines()) == 2


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("\ufeff" + GOOD, encoding="utf-8")
    assert Recipe.read(tmp_path / "a.toml") == Recipe.parse(GOOD)


@pytest.mark.parametrize(("old", "new"), sorted(RENAMED_KEYS.items()))
def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(old: str, new: str) -> None:
    table, _, key = old.rpartition(".")
    text = f"[filter]\nname = 'x'\n[targets]\nonnx = ['fp32']\n[{table}]\n{key} = 1\n"
    with pytest.raises(InputError) as error:
        Recipe.parse(text)
    assert error.value.what == f"recipe is wrong:\n  {old}: called {new} now"


def test_students_of_earlier_versions_are_found() -> None:
    """The key of a student has the names that its settings had when it was first trained."""
    settings = Compress(half_res_channels=24, instance_norm=True).key("steps", "int8_steps")
    assert (settings["half"], settings["whole"]) == (24, True)
    assert settings.keys().isdisjoint({"half_res_channels", "instance_norm", "cut"})


@pytest.mark.parametrize(
    "text",
    ["a." * 200_000 + "b = 1", '"a".' * 100_000 + "b = 1", "a = " + "[" * 100_000, "a = " + "9" * 5000,
     "a" * 900_000, "\n".join(f"k{i} = 1" for i in range(20_000)), "[filter]\nname = '" + "s" * 500_000 + "'"],
)  # fmt: skip
def test_recipes_that_take_long_to_read_are_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(InputError) as refused:
        Recipe.parse(text)
    assert time.process_time() - start < 5 and len(str(refused.value)) < 10_000
