"""Placements by published rules, on files that our own emitters write."""

from pathlib import Path

import pytest

from pocketlens import accelerators
from pocketlens.accelerators import Request
from pocketlens.accelerators.rules import NEURAL_ENGINE, NEURAL_ENGINE_OF_CORE_AI, SNAPML
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.errors import InputError
from pocketlens.placement import ACCELERATORS, Placement
from pocketlens.recipe import Recipe
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS
from tests.converters.tflite.harness import kernel, model, node
from tests.generators import small_graph

PICTURE = (1, 3, 16, 24)


def placed(accelerator: str, target: str, graph: object, precision: str, folder: Path) -> Placement:
    path = folder / f"x{TARGETS[target].suffix}"
    emitter(target).emit(graph, precision, Labels("x"), path)  # type: ignore[arg-type]
    return accelerators.place(accelerator, Request(path))


def test_every_rule_has_its_source() -> None:
    assert all(
        rule.source.startswith("https://") and rule.operators
        for rule in (*NEURAL_ENGINE, *NEURAL_ENGINE_OF_CORE_AI, *SNAPML)
    )


def test_a_float32_program_leaves_the_neural_engine(tmp_path: Path) -> None:
    placement = placed("neural-engine", "coreml", small_graph(), "fp32", tmp_path)
    assert placement.status == "by-rule" and "conv (float32)" in placement.operators
    assert placement.source.endswith("typed-execution-example.html") and placement.psnr is None


def test_a_dilated_convolution_leaves_it_too(tmp_path: Path) -> None:
    for dilation, excluded in ((1, ()), (2, ("conv (dilated)",))):
        graph = model(
            node("Conv", "image", kernel(3, 3, 3, 3), pads=[dilation] * 4, dilations=[dilation] * 2),
            shape=PICTURE,
        )
        placement = placed("neural-engine", "coreml", graph, "fp16", tmp_path / str(dilation))
        assert placement.operators == excluded, placement
        assert placement.text.startswith("by rule: ")


@pytest.mark.skipif(bool(RUNTIMES["coreai"].missing()), reason=RUNTIMES["coreai"].install)
def test_what_core_ai_computes_in_float32_leaves_it(tmp_path: Path) -> None:
    half = placed("neural-engine", "coreai", small_graph(), "fp16", tmp_path)
    assert half.text.startswith("by rule: not reduce_mean (float32)"), "statistics of norms"
    assert "conv2d (float32)" not in half.operators and half.source.endswith("neural_engine_rules.md")
    whole = placed("neural-engine", "coreai", small_graph(), "fp32", tmp_path / "fp32")
    assert "conv2d (float32)" in whole.operators
    plain = model(node("Conv", "image", kernel(3, 3, 3, 3), pads=[1] * 4), shape=PICTURE)
    assert placed("neural-engine", "coreai", plain, "fp16", tmp_path / "plain").text == "by rule: nothing excluded"


def test_a_division_is_not_accelerated_everywhere_by_snap(tmp_path: Path) -> None:
    plain = placed("snapml", "onnx", model(node("Conv", "image", kernel(3, 3, 1, 1)), shape=PICTURE), "fp32", tmp_path)
    assert (plain.status, plain.operators) == ("by-rule", ())
    divided = placed("snapml", "onnx", model(node("Cos", "image"), shape=PICTURE), "fp32", tmp_path)
    assert divided.operators == ("Cos",) and "NPU" in divided.reason


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match=r"x\.onnx"):
        accelerators.place("snapml", Request(tmp_path / "x.onnx"))


def test_a_rule_cannot_be_required() -> None:
    text = '[filter]\nname = "x"\n[targets]\nonnx = ["fp32"]\n[accelerators]\nsnapml = "require"'
    with pytest.raises(InputError, match="snapml: nothing is executed there"):
        Recipe.parse(text)
    assert not ACCELERATORS["snapml"].executes
