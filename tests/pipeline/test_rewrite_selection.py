"""Which rewrites a target gets, from the recipe to the manifest."""

from pathlib import Path

import pytest

import pocketlens
from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import registry, winograd_conv
from pocketlens.errors import InputError
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.rewrite_selection import names_for, parse
from pocketlens.recipe import Recipe
from pocketlens.targets import TARGETS
from tests.generators import seeded, small_graph

RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]
license = "MIT"
[accelerators]
litert_gpu = "off"
[targets]
onnx = ["fp32"]
tflite = ["fp32"]
[rewrites]
keep = ["sub-pixel-conv"]
"""


def test_choices() -> None:
    assert parse("none") == "none"
    first, second, *_ = registry.REWRITES
    assert parse(f"{second}, {first}") == (first, second), "in the order in which they run"
    assert names_for("none", "tflite") == ()
    assert names_for("safe", "tflite") == TARGETS["tflite"].rewrites
    assert names_for(["keep-packed"], "onnx") == ("keep-packed",)
    for wrong in ("fast", "none,keep-packed", ""):
        with pytest.raises(InputError) as caught:
            parse(wrong)
        assert "keep-packed" in caught.value.do and "safe" in caught.value.do
    with pytest.raises(InputError, match="no target"):
        names_for("safe", "web")


def test_the_recipe_takes_a_mode_or_names() -> None:
    for line in ('rewrites = "auto"', '[rewrites]\nkeep = "auto"'):
        assert Recipe.parse(line + RECIPE.partition("[rewrites]")[0]).rewrites.keep == "auto"
    for wrong in ('"fast"', "[]", "3", "[1]"):
        with pytest.raises(InputError, match="expected 'none', 'safe', 'auto' or a list of names"):
            Recipe.parse(RECIPE.replace('["sub-pixel-conv"]', wrong))


def test_artifacts_are_made_of_the_rewritten_graph_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(RECIPE)
    made = pocketlens.build(tmp_path / "small.toml", tmp_path / "a.bundle", generator=seeded(), bench=False)
    assert all(artifact.rewrites == ("sub-pixel-conv",) for artifact in made.manifest.artifacts)
    plain = pocketlens.build(
        tmp_path / "small.toml", tmp_path / "b.bundle", generator=seeded(), bench=False, rewrites="none"
    )
    assert all(artifact.rewrites == () for artifact in plain.manifest.artifacts)

    def operators(bundle: Path) -> set[str]:
        return {node.op_type for node in hub.load(bundle / "artifacts/onnx-fp32-32x48.onnx").graph}

    assert "ConvTranspose" in operators(plain.path) and "ConvTranspose" not in operators(made.path)


def test_convert_takes_rewrites(tmp_path: Path) -> None:
    hub.save(small_graph(), tmp_path / "small.onnx")
    (one,) = convert(
        str(tmp_path / "small.onnx"), ["onnx"], ["fp32"], tmp_path / "out", size=(32, 48), rewrites=("sub-pixel-conv",)
    )
    assert one.rewrites == ("sub-pixel-conv",) and one.path.parent == tmp_path / "out"
    with pytest.raises(InputError, match="no rewrite 'faster'"):
        convert(str(tmp_path / "small.onnx"), ["onnx"], ["fp32"], tmp_path, size=(32, 48), rewrites=("faster",))


def test_sums_that_fewer_bits_cannot_hold_stay_in_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd_conv, "MIN_CHANNELS", 4)
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    hub.save(small_graph(), tmp_path / "small.onnx")
    made = convert(str(tmp_path / "small.onnx"), ["onnx"], ["fp32", "fp16", "int8"], tmp_path / "out", size=(32, 48))
    assert ["winograd-conv" in one.rewrites for one in made] == [True, False, False]
    assert registry.for_precision(["keep-rows", "keep-packed"], "w8") == ("keep-packed",)


def test_every_target_takes_tiles_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is played and compared with its teacher, Core ML's as well."""
    monkeypatch.setattr(winograd_conv, "MIN_CHANNELS", 4)
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    hub.save(small_graph(), tmp_path / "small.onnx")
    names = ("winograd-conv", "keep-rows")
    made = convert(str(tmp_path / "small.onnx"), [], ["fp32"], tmp_path / "out", size=(32, 48), rewrites=names)
    assert {one.spec.target: one.rewrites for one in made} == dict.fromkeys(
        ("onnx", "openvino", "tflite", "coreml"), names
    )
