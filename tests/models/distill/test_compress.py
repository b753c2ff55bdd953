"""Distillations of a few steps: that students learn, and that every kind of teacher can be distilled."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch

from pocketlens import images
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.checkpoint_metadata import read_metadata
from pocketlens.models.distill.compress import Compressed, compress, picture_sizes
from pocketlens.models.export import export
from pocketlens.models.source import Source, resolve
from pocketlens.models.teacher import torch_teacher
from pocketlens.recipe import Compress

TINY = Compress(steps=12, width=8, half_res_channels=8, blocks=1, pictures=12)


def run(source: Source, settings: Compress, eval_pictures: list[images.Picture], folder: Path) -> Compressed:
    teacher = torch_teacher(source.load(), source.ranges) if source.kind != "onnx" else None
    outputs = [teacher(p) if teacher else p.astype(np.float32) for p in eval_pictures]
    return compress(source, settings, (64, 64), eval_pictures, outputs, None, folder, threads=1)


def test_a_student_learns_and_the_same_seed_gives_the_same_file(
    source: Source, eval_pictures: list[images.Picture], tmp_path: Path
) -> None:
    settings = TINY.model_copy(update={"steps": 60, "rate": 0.02, "adversarial": 0.01})
    first = run(source, settings, eval_pictures, tmp_path / "a")
    again = run(source, settings, eval_pictures, tmp_path / "b")
    assert first.path.read_bytes() == again.path.read_bytes()
    assert first.history[-1]["psnr"] > first.history[0]["psnr"]
    assert first.before is not None
    assert first.after.macs < first.before.macs
    assert len(list((tmp_path / "a/previews").iterdir())) == len(first.history)
    loaded = resolve("student.safetensors", base=tmp_path / "a", architecture="pocket").load()
    assert loaded(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_sizes_that_a_student_cannot_have_are_refused_before_the_teacher_runs(
    eval_pictures: list[images.Picture], tmp_path: Path
) -> None:
    ir.save(export(torch.nn.Conv2d(3, 3, 3, padding=1), 66, 66, Ranges()), tmp_path / "odd.onnx")
    progress: list[str] = []
    with pytest.raises(InputError, match="multiples of 4"):
        compress(
            resolve("odd.onnx", base=tmp_path), TINY, (66, 66), eval_pictures, [], None, tmp_path / "a",
            notify=lambda what, *_: progress.append(what),
        )  # fmt: skip
    assert not progress


@pytest.mark.parametrize(("side", "count"), [(256, 320), (64, 320), (32, 100)])
def test_there_are_as_many_pictures_as_the_recipe_says(source: Source, side: int, count: int) -> None:
    sizes = picture_sizes(source, (side, side), count)
    assert sum(number for _, number in sizes) == count and len({edge for edge, _ in sizes}) == len(sizes)


def test_a_pruned_copy_recovers(source: Source, eval_pictures: list[images.Picture], tmp_path: Path) -> None:
    settings = TINY.model_copy(update={"channels": 0.5, "steps": 40})
    compressed = run(source, settings, eval_pictures, tmp_path / "a")
    assert compressed.history[-1]["psnr"] > compressed.history[0]["psnr"]
    assert any("stem.conv: 3 -> 16 channels became 3 -> 8" in line for line in compressed.layers)
    loaded = resolve("student.safetensors", base=tmp_path / "a", architecture="pocket").load()
    assert loaded(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_a_copy_is_pruned_to_a_share_of_the_multiply_adds(
    source: Source, eval_pictures: list[images.Picture], tmp_path: Path
) -> None:
    settings = TINY.model_copy(update={"macs": 0.4, "multiple": 4, "steps": 4})
    compressed = run(source, settings, eval_pictures, tmp_path / "a")
    assert compressed.before is not None
    assert 0.2 < compressed.after.macs / compressed.before.macs <= 0.4
    assert any("-> 12" in line or "-> 4" in line for line in compressed.layers)


def test_a_copy_of_lower_rank_recovers_and_is_trained_for_int8(
    source: Source, eval_pictures: list[images.Picture], tmp_path: Path
) -> None:
    settings = TINY.model_copy(
        update={"macs": 0.6, "cut": "ranks", "multiple": 4, "steps": 40, "int8_steps": 4, "rate": 0.001}
    )
    compressed = run(source, settings, eval_pictures, tmp_path / "a")
    assert compressed.before is not None
    assert 0.4 < compressed.after.macs / compressed.before.macs <= 0.6
    assert compressed.history[-1]["psnr"] > compressed.history[0]["psnr"]
    assert any("16 -> 8 -> 16" in line or "16 -> 12 -> 16" in line for line in compressed.layers)
    loaded = resolve("student.safetensors", base=tmp_path / "a", architecture="pocket")
    assert loaded.load()(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)
    metadata = read_metadata(compressed.path)
    assert metadata is not None
    assert any(name.endswith(".conv.1") for name in metadata.ranges)


def test_an_onnx_file_is_distilled(source: Source, eval_pictures: list[images.Picture], tmp_path: Path) -> None:
    ir.save(export(source.load(), 64, 64, source.ranges), tmp_path / "t.onnx")
    compressed = run(resolve("t.onnx", base=tmp_path), TINY, eval_pictures, tmp_path / "a")
    assert compressed.before is None
    assert compressed.path.exists()
