"""A recipe's rules decide how layers compute, and the manifest says which rules were used."""

from pathlib import Path

import pytest

import pocketlens
from pocketlens.bundle import manifest
from pocketlens.errors import InputError
from pocketlens.pipeline.stages.plan import plan_of_recipe
from pocketlens.recipe import Quantize, Recipe, Rule
from pocketlens.targets import ArtifactSpec
from tests.generators import seeded

RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]

[accelerators]
litert_gpu = "off"
[targets]
onnx = ["int8", "w8"]
tflite = ["int8"]

[quantize]
ranges = "minmax"
rules = [
  {{ match = "last", setting = "float" }},
  {{ operator = "ConvTranspose", setting = "{setting}", targets = ["onnx"] }},
]
"""


def test_rules_of_the_recipe_are_used_and_told(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(RECIPE.format(setting="int8-a16"))
    made = pocketlens.build(tmp_path / "small.toml", tmp_path / "a.bundle", generator=seeded(), bench=False)
    plans = {f"{a.target}-{a.precision}": a.plan for a in made.manifest.artifacts}
    eight, coded, lite = plans["onnx-int8"], plans["onnx-w8"], plans["tflite-int8"]
    assert eight is not None and coded is not None and lite is not None
    assert [(r.setting, r.match, r.operator) for r in eight.rules] == [
        ("int8", "", ""), ("float", "last", ""), ("int8-a16", "", "ConvTranspose"),
    ]  # fmt: skip
    assert [r.setting for r in coded.rules] == ["w8", "float"] and coded.ranges is None
    assert [r.setting for r in lite.rules] == ["int8", "float", "float"] and lite.ranges == "minmax"
    assert "down" in lite.rules[1].match, "LiteRT's float kernel is the faster one for three channels"
    assert manifest.parse(made.manifest.to_json()) == made.manifest
    from pocketlens.converters import graph as hub
    from pocketlens.converters.constants import constant

    paths = {f"{a.target}-{a.precision}": made.path / a.path for a in made.manifest.artifacts}
    kinds = sorted(
        str(constant(n.inputs[2]).dtype) for n in hub.load(paths["onnx-int8"]).graph if n.op_type == "QuantizeLinear"
    )
    assert "uint16" in kinds and "uint8" in kinds
    floats = [
        n for n in hub.load(paths["onnx-w8"]).graph if n.op_type == "Conv" and hub.initializer(n.inputs[1]) is not None
    ]
    assert len(floats) == 2, "the last convolution, and the first, which is too small to be coded"


def test_rules_that_fit_nothing_or_ask_too_much_are_errors() -> None:
    for text, words in (
        ("{ match = '(', setting = 'float' }", "no regular expression"),
        ("{ setting = 'int4' }", "no setting 'int4'"),
        ("{ operator = 'Relu', setting = 'float' }", "operator"),
        ("{ setting = 'float', math = 'x' }", "did you mean 'match'"),
    ):
        with pytest.raises(InputError, match=words):
            Recipe.parse(f"[filter]\nname = 'a'\n[targets]\nonnx = ['int8']\n[quantize]\nrules = [{text}]")
    with pytest.raises(InputError, match="tflite has no int8-a16"):
        plan_of_recipe(Quantize(rules=(Rule(setting="int8-a16"),)), ArtifactSpec("tflite", "int8", (32, 48)))
    with pytest.raises(InputError, match="onnx: the rule 'lats' matches no convolution"):
        pocketlens.build(
            Recipe(
                filter={"name": "small", "sizes": ((32, 48),)},
                targets={"onnx": ("int8",)},
                quantize={"rules": ({"match": "lats", "setting": "float"},)},
            ),
            "unused",
            generator=seeded(),
            bench=False,
        )
