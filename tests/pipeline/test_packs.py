"""A style pack, from checkpoint to bundle, on every target: styles are switched and blended without loading anything
again.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens import images, quality
from pocketlens.bundle.load import load
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.verify import verify
from pocketlens.errors import InputError
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands.build import build
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.eval_set import SHIPPED
from pocketlens.recipe import Recipe
from pocketlens.runtimes.session import open_artifact
from tests.cli.calls import call

STYLES = ("ink", "oil", "chalk")
WIDE = {"channels": 8, "blocks": 1, "fine": 1, "half_res_channels": 8}
SIZE = (32, 48)


def tiny() -> Pocket:
    """A pack of three styles that differ visibly."""
    torch.manual_seed(0)
    pack = Pocket(**WIDE, styles=len(STYLES))
    with torch.no_grad():
        pack.table.add_(0.4 * torch.randn(pack.table.shape))
        pack.table[:, -12:] += 30 * torch.randn(len(STYLES), 12)
        pack.head.weight.mul_(30)
    return pack.eval()


def alone(pack: Pocket, index: int) -> Pocket:
    """One style of a pack as a generator that knows of no others: its scales and shifts are those of its norms."""
    single = Pocket(**WIDE)
    state = {key: value for key, value in pack.state_dict().items() if key != "table"}
    factors, terms = (part.split(pack._widths) for part in pack.table[index].split(sum(pack._widths)))
    layers = ["stem", "down", "blocks.0", "up", "fine.0"]
    for layer, factor, term in zip(layers, factors, terms, strict=False):
        state[f"{layer}.norm.weight"], state[f"{layer}.norm.bias"] = factor, term
    state["head.weight"] = factors[-1][:, None, None, None] * pack.head.weight
    state["head.bias"] = factors[-1] * pack.head.bias + terms[-1]
    single.load_state_dict(state)
    return single.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "tiny.safetensors"
    save_checkpoint(tiny(), path, CheckpointMetadata("pocket", {**WIDE, "styles": len(STYLES)}, styles=STYLES))
    return path


@pytest.fixture(scope="module")
def bundle(checkpoint: Path) -> Path:
    recipe = Recipe.model_validate(
        {
            "filter": {"name": "tiny", "source": str(checkpoint), "architecture": "pocket", "sizes": [SIZE]},
            "targets": {
                "onnx": ["fp32", "int8"],
                "openvino": ["w8", "int8"],
                "tflite": ["fp32", "int8"],
                "coreml": ["fp16", "w8"],
            },
            "gate": {"psnr": 28},
            "accelerators": {"litert_gpu": "off"},
        }
    )
    built = build(recipe, checkpoint.parent / "tiny.bundle", bench=False)
    assert built.verdict == "pass"
    return built.path


@pytest.fixture(scope="module")
def picture() -> images.Picture:
    return images.fill(images.read(SHIPPED / "judge/coffee.jpg"), *SIZE)


def drawn(generator: torch.nn.Module, picture: images.Picture, *style: torch.Tensor) -> images.Picture:
    with torch.no_grad():
        output = generator(torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)), *style)
    return images.to_uint8(output[0].numpy().transpose(1, 2, 0))


def test_the_manifest_names_styles_scores_and_gates_of_each(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
    assert manifest.io.styles == STYLES
    assert [golden.style for golden in manifest.golden] == list(STYLES)
    for artifact in manifest.artifacts:
        assert set(artifact.styles) == {*STYLES, "blended"}
        assert {(gate.name, gate.style) for gate in artifact.gates} == {("psnr", s) for s in (*STYLES, "blended")}
        assert min(scores.psnr for scores in artifact.styles.values()) == artifact.scores.psnr


def test_every_file_plays_each_style_as_that_style_alone_and_blends(bundle: Path, picture: images.Picture) -> None:
    pack, even = tiny(), torch.full((1, 3), 1 / 3)
    singles = {name: drawn(alone(pack, i), picture) for i, name in enumerate(STYLES)}
    assert quality.psnr(singles["ink"], singles["oil"]) < 25  # they are different styles
    between = drawn(pack, picture, torch.tensor([[0.5, 0.5, 0.0]]))
    with open_bundle(bundle) as opened:
        for artifact in opened.manifest.artifacts:
            with load(bundle, artifact=artifact.id) as session:
                players = [loaded._player for loaded in session._loaded.values()]
                least = 30 if artifact.precision == "int8" else 45
                for name in (*STYLES, "ink"):
                    assert quality.psnr(singles[name], session(picture, style=name)) > least, (artifact.id, name)
                mixed = session(picture, style={"ink": 0.5, "oil": 0.5})
                assert quality.psnr(between, mixed) > least, artifact.id
                assert quality.psnr(drawn(pack, picture, even), session(picture, style=[1, 1, 1])) > least
                assert players == [loaded._player for loaded in session._loaded.values()]
    distances = [np.abs(mixed.astype(float) - singles[name]).mean() for name in ("ink", "oil")]
    apart = np.abs(singles["ink"].astype(float) - singles["oil"]).mean()
    assert 0.1 * apart < min(distances) and max(distances) < 0.9 * apart


def test_a_session_keeps_the_style_that_it_was_given(bundle: Path, picture: images.Picture) -> None:
    with load(bundle) as session:
        assert session.styles == STYLES and session.style == {"ink": 1.0, "oil": 0.0, "chalk": 0.0}
        assert session.inputs == ()
        assert np.array_equal(session(picture), session(picture, style="ink"))
        session.style = {"oil": 1, "chalk": 3}
        assert session.style == {"ink": 0.0, "oil": 0.25, "chalk": 0.75}
        assert np.array_equal(session(picture), session(picture, style=[0, 1, 3]))
        grey = session(picture[..., 0], style="chalk")  # whatever kind of picture it is
        assert grey.shape == picture.shape[:2]
        with pytest.raises(InputError, match="choose from ink, oil, chalk"):
            session(picture, style="water")


def test_one_file_alone_knows_its_styles_by_their_places(bundle: Path, picture: images.Picture) -> None:
    with load(bundle, artifact="tflite-fp32-32x48") as named, open_artifact(named._path) as session:
        assert session.styles == ("0", "1", "2")
        assert np.array_equal(session(picture, style=1), named(picture, style="oil"))


def test_the_bundle_verifies_and_a_swapped_style_does_not(bundle: Path, tmp_path: Path) -> None:
    assert verify(bundle, ["litert", "onnxruntime"]).verdict == "pass"
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
    swapped = dataclasses.replace(manifest, io=dataclasses.replace(manifest.io, styles=("oil", "ink", "chalk")))
    copy = tmp_path / "copy"
    for name in manifest.files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((bundle / name).read_bytes())
    (copy / "manifest.json").write_text(swapped.to_json())
    assert verify(copy, ["litert"]).verdict == "fail"


def test_the_command_runs_a_style(bundle: Path, picture: images.Picture, tmp_path: Path) -> None:
    images.write(tmp_path / "in.png", picture)
    results = {}
    for style in ("oil", "ink=0.5,oil=0.5"):
        out = tmp_path / style
        argv = ["run", str(bundle), str(tmp_path / "in.png"), "-o", str(out), "--artifact", "onnx-fp32-32x48"]
        call(*argv, "--style", style)
        results[style] = images.read(out / "in.png")
    with load(bundle, artifact="onnx-fp32-32x48") as session:
        assert np.array_equal(results["oil"], session(picture, style="oil"))
        assert np.array_equal(results["ink=0.5,oil=0.5"], session(picture, style={"ink": 1, "oil": 1}))
    assert "choose from ink, oil, chalk" in call(*argv, "--style", "water", code=2).stderr


def test_bytes_of_a_pack_leave_its_styles_in_floats(bundle: Path) -> None:
    import onnx

    with open_bundle(bundle) as opened:
        (path,) = (opened.path_of(a) for a in opened.manifest.artifacts if a.id == "onnx-int8-32x48")
    nodes = list(onnx.load(path).graph.node)
    (blend,) = (node for node in nodes if node.op_type in ("MatMul", "Gemm"))
    made_by = {output: node.op_type for node in nodes for output in node.output}
    assert "DequantizeLinear" not in {made_by.get(name) for name in blend.input}
    convolutions = [node for node in nodes if node.op_type in ("Conv", "QLinearConv")]
    assert sum(made_by.get(node.input[0]) == "DequantizeLinear" for node in convolutions) >= len(convolutions) - 2


def test_a_filter_of_one_style_takes_none(tmp_path: Path, picture: images.Picture) -> None:
    (artifact,) = convert("builtin:cartoon", ["onnx"], ["fp32"], tmp_path, size=SIZE)
    with open_artifact(artifact.path) as session:
        assert session.styles == () and session.style == {}
        with pytest.raises(InputError, match="one style only"):
            session(picture, style="ink")


def test_names_in_a_checkpoint_must_fit_its_styles(checkpoint: Path, tmp_path: Path) -> None:
    assert resolve(str(checkpoint), base=Path(), architecture="pocket").styles == STYLES
    wrong = tmp_path / "wrong.safetensors"
    save_checkpoint(tiny(), wrong, CheckpointMetadata("pocket", {**WIDE, "styles": 3}, styles=("ink", "oil")))
    with pytest.raises(InputError, match="a generator that cannot be"):
        resolve(str(wrong), base=Path(), architecture="pocket").load()


def test_the_snippet_without_pocketlens_takes_the_first_style(bundle: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = bundle / "snippets/python/with_onnxruntime.py"
    golden = json.loads((bundle / "manifest.json").read_text())["golden"][0]
    subprocess.run([sys.executable, script, bundle / golden["picture"], tmp_path / "out.png"], check=True)
    assert quality.psnr(images.read(bundle / golden["expected"]), images.read(tmp_path / "out.png")) > 45
    assert "val STYLES = listOf(" in next((bundle / "snippets/android").glob("*.kt")).read_text()
    assert 'static let styles = ["ink", "oil", "chalk"]' in next((bundle / "snippets/ios").glob("*.swift")).read_text()
