"""Distillations of a few steps: that students learn, that every kind of teacher teaches, that answers are asked once."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch

from pocketlens import images
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.files import cache_folder
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, read_metadata, save_checkpoint
from pocketlens.models.distill.compress import compress, picture_sizes
from pocketlens.models.distill.dataset import DatasetSpec, digest, record_teacher
from pocketlens.models.distill.feature_teacher import feature_teacher, function_teacher
from pocketlens.models.distill.features import quarter_layer
from pocketlens.models.distill.initial_student import has_global_statistics
from pocketlens.models.export import export
from pocketlens.models.fast_style import FastStyle
from pocketlens.models.pix2pix_unet import Pix2PixUnet
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import Source, resolve
from pocketlens.models.teacher import torch_teacher
from pocketlens.recipe import Compress

TINY = Compress(steps=12, width=8, half_res_channels=8, blocks=1, pictures=12)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    torch.manual_seed(0)
    save_checkpoint(
        Pocket(channels=16, instance_norm=1),
        tmp_path / "t.safetensors",
        CheckpointMetadata("pocket", {"channels": 16, "instance_norm": 1}),
    )
    return resolve("t.safetensors", base=tmp_path, architecture="pocket")


@pytest.fixture
def judges() -> list[images.Picture]:
    return [(np.random.default_rng(0).random((64, 64, 3)) * 255).astype(np.uint8)]


def run(source: Source, settings: Compress, judges: list[images.Picture], folder: Path):  # type: ignore[no-untyped-def]
    teacher = torch_teacher(source.load(), source.ranges) if source.kind != "onnx" else None
    references = [teacher(p) if teacher else p.astype(np.float32) for p in judges]
    return compress(source, settings, (64, 64), judges, references, None, folder, threads=1)


def test_a_student_learns_and_the_same_seed_gives_the_same_file(source: Source, judges, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings = TINY.model_copy(update={"steps": 60, "rate": 0.02, "adversarial": 0.01})
    first = run(source, settings, judges, tmp_path / "a")
    again = run(source, settings, judges, tmp_path / "b")
    assert first.path.read_bytes() == again.path.read_bytes()
    assert first.history[-1]["psnr"] > first.history[0]["psnr"]
    assert first.after.macs < first.before.macs
    assert len(list((tmp_path / "a/previews").iterdir())) == len(first.history)
    loaded = resolve("student.safetensors", base=tmp_path / "a", architecture="pocket").load()
    assert loaded(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_sizes_that_a_student_cannot_take_are_refused_before_the_teacher_is_asked(tmp_path: Path, judges) -> None:  # type: ignore[no-untyped-def]
    ir.save(export(torch.nn.Conv2d(3, 3, 3, padding=1), 66, 66, Ranges()), tmp_path / "odd.onnx")
    asked: list[str] = []
    with pytest.raises(InputError, match="multiples of 4"):
        compress(
            resolve("odd.onnx", base=tmp_path), TINY, (66, 66), judges, [], None, tmp_path / "a",
            notify=lambda what, *_: asked.append(what),
        )  # fmt: skip
    assert not asked


@pytest.mark.parametrize(("side", "count"), [(256, 320), (64, 320), (32, 100)])
def test_as_many_pictures_are_asked_about_as_the_recipe_says(source: Source, side: int, count: int) -> None:
    sizes = picture_sizes(source, (side, side), count)
    assert sum(number for _, number in sizes) == count and len({edge for edge, _ in sizes}) == len(sizes)


def test_a_pruned_copy_recovers(source: Source, judges, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run(source, TINY.model_copy(update={"channels": 0.5, "steps": 40}), judges, tmp_path / "a")
    assert done.history[-1]["psnr"] > done.history[0]["psnr"]
    assert any("stem.conv: 3 -> 16 channels became 3 -> 8" in line for line in done.layers)
    loaded = resolve("student.safetensors", base=tmp_path / "a", architecture="pocket").load()
    assert loaded(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_a_copy_is_pruned_to_a_share_of_the_multiply_adds(source: Source, judges, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings = TINY.model_copy(update={"macs": 0.4, "multiple": 4, "steps": 4})
    done = run(source, settings, judges, tmp_path / "a")
    assert done.before is not None
    assert 0.2 < done.after.macs / done.before.macs <= 0.4
    assert any("-> 12" in line or "-> 4" in line for line in done.layers)


def test_a_copy_cut_by_rank_recovers_and_feels_int8(source: Source, judges, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings = TINY.model_copy(
        update={"macs": 0.6, "cut": "ranks", "multiple": 4, "steps": 40, "int8_steps": 4, "rate": 0.001}
    )
    done = run(source, settings, judges, tmp_path / "a")
    assert done.before is not None
    assert 0.4 < done.after.macs / done.before.macs <= 0.6
    assert done.history[-1]["psnr"] > done.history[0]["psnr"]
    assert any("16 -> 8 -> 16" in line or "16 -> 12 -> 16" in line for line in done.layers)
    loaded = resolve("student.safetensors", base=tmp_path / "a", architecture="pocket")
    assert loaded.load()(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)
    how = read_metadata(done.path)
    assert how is not None
    assert any(name.endswith(".conv.1") for name in how.ranges)


def test_an_onnx_file_teaches_what_the_module_it_came_from_teaches(source: Source, judges, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = export(source.load(), 64, 64, source.ranges)
    ir.save(model, tmp_path / "t.onnx")
    other = resolve("t.onnx", base=tmp_path)
    picture = judges[0]
    pixels, features = feature_teacher(source)(picture)
    found, thought = feature_teacher(other)(picture)
    assert np.abs(pixels - found).max() < 0.1
    assert features is not None
    assert thought is not None
    assert features.shape[1:] == thought.shape[1:] == (16, 16)
    done = run(other, TINY, judges, tmp_path / "a")
    assert done.before is None
    assert done.path.exists()


def test_the_teacher_is_asked_once(source: Source) -> None:
    questions, calls = DatasetSpec(((32, 4),)), []

    def master():  # type: ignore[no-untyped-def]
        calls.append(1)
        return feature_teacher(source)

    first = record_teacher(master, "key", questions, None)
    again = record_teacher(master, "key", questions, None)
    assert len(calls) == 1
    assert np.array_equal(first[0].targets, again[0].targets)
    assert first[0].features is not None
    assert np.abs(first[0].features.astype(np.float32).std() - 1) < 0.3


def test_a_slow_effect_that_was_stopped_is_not_asked_again() -> None:
    asked: list[int] = []

    def slow(picture: images.Picture) -> images.Picture:
        asked.append(len(asked))
        if len(asked) == 6:
            raise KeyboardInterrupt
        return 255 - picture

    questions = DatasetSpec(((32, 6), (16, 4)))
    with pytest.raises(KeyboardInterrupt):
        record_teacher(lambda: function_teacher(slow), "slow", questions, None)
    found = record_teacher(lambda: function_teacher(slow), "slow", questions, None)
    assert len(asked) == 6 + 5, "five were known"
    assert all((one.targets == 255 - one.inputs).all() for one in found)
    straight = record_teacher(lambda: function_teacher(lambda picture: 255 - picture), "other", questions, None)
    assert digest(found) == digest(straight)
    assert not list((cache_folder() / "asking").iterdir())


def test_what_sees_the_whole_picture_is_known() -> None:
    assert has_global_statistics(FastStyle())
    assert not has_global_statistics(Pocket())
    assert quarter_layer(Pix2PixUnet(halvings=7), 128)
