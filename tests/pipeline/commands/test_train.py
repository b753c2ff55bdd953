"""Filters from effects, pairs, folders and a style picture, in trainings of seconds."""

from pathlib import Path

import numpy as np
import pytest
import torch

import pocketlens
from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.models.training.vgg import Vgg, load_vgg
from pocketlens.pipeline.commands.train import TrainingSpec, train
from pocketlens.pipeline.commands.train_style import Painting


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))


def pictures(folder: Path, count: int, change=lambda p: p) -> Path:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        ramp = np.linspace(0, 255, 96)[None, :, None] * random.random(3)
        picture = images.to_uint8(np.broadcast_to(ramp, (80, 96, 3)) + random.normal(0, 8, (80, 96, 3)))
        images.write(folder / f"{i}.png", images.to_uint8(change(picture.astype(float))))
    return folder


def test_an_effect_is_learned_and_its_recipe_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "effects.py").write_text("def darker(picture):\n    return picture * 0.5\n")
    monkeypatch.chdir(tmp_path)
    shown = pictures(tmp_path / "p", 3)
    trained_filter = train(
        TrainingSpec(effect="effects.py:darker", pictures=shown), tmp_path / "f", size=64, steps=64, threads=1
    )
    assert trained_filter.history[-1]["psnr"] > trained_filter.history[0]["psnr"] + 1
    assert len(list((tmp_path / "f/previews").iterdir())) == 4
    built = pocketlens.build(trained_filter.recipe, tmp_path / "f.bundle", bench=False)
    assert built.verdict == "pass"


def flipping(axis: int, name: str) -> str:
    return f"def {name}(picture):\n    return picture[{', '.join([':'] * axis + ['::-1'])}]\n"


def test_an_effect_that_changed_is_another_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = pictures(tmp_path / "p", 2)

    def trained(code: str, folder: str) -> bytes:
        (tmp_path / "turning.py").write_text(code)
        train(TrainingSpec("turning.py:turn", pictures=shown), tmp_path / folder, size=64, steps=2, threads=1)
        return (tmp_path / folder / "student.safetensors").read_bytes()

    across = trained(flipping(1, "turn"), "a")
    assert trained(flipping(1, "turn"), "a") == across
    with pytest.raises(InputError, match="another training"):
        trained(flipping(0, "turn"), "a")
    assert trained(flipping(0, "turn"), "b") != across


def test_a_module_whose_effect_only_moves_pixels_is_told_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "moving.py").write_text(flipping(1, "turn"))
    shown, students = pictures(tmp_path / "p", 2), []
    for axis in (1, 0):
        import moving  # type: ignore[import-not-found]

        monkeypatch.setattr(moving, "turn", lambda picture, axis=axis: np.flip(picture, axis))
        train(TrainingSpec("moving:turn", pictures=shown), tmp_path / f"{axis}", size=64, steps=2, threads=1)
        students.append((tmp_path / f"{axis}" / "student.safetensors").read_bytes())
    assert students[0] != students[1]


@pytest.mark.parametrize("expression", ["picture / 255", "picture * float('nan')", "'a picture'", "picture > 9"])
def test_an_effect_that_gives_no_picture_is_refused(
    expression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.py").write_text(f"def odd(picture):\n    return {expression}\n")
    with pytest.raises(InputError, match=r"odd\.py:odd"):
        train(TrainingSpec("odd.py:odd", pictures=pictures(tmp_path / "p", 1)), tmp_path / "f", size=64, steps=2)
    assert not (tmp_path / "f").exists()


def test_a_name_that_is_none_and_an_output_that_is_a_file_are_refused(tmp_path: Path) -> None:
    before = pictures(tmp_path / "a", 2)
    (tmp_path / "file").write_text("")
    for name, folder, says in (("my filter", "f", "my filter"), ("f", "file", "is a file")):
        with pytest.raises(InputError, match=says):
            train(TrainingSpec(pairs=(before, before)), tmp_path / folder, name=name, size=64, steps=2)


def test_pairs_are_learned(tmp_path: Path) -> None:
    before, after = pictures(tmp_path / "a", 4), pictures(tmp_path / "b", 4, lambda p: 255 - p)
    trained_filter = train(TrainingSpec(pairs=(before, after)), tmp_path / "f", size=64, steps=32, threads=1)
    assert trained_filter.history[-1]["psnr"] > trained_filter.history[0]["psnr"]
    assert trained_filter.unpaired == 0
    (tmp_path / "c").mkdir()
    images.write(tmp_path / "c" / "other.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="has the name"):
        train(TrainingSpec(pairs=(before, tmp_path / "c")), tmp_path / "g", size=64, steps=4)


def test_pictures_without_a_partner_are_counted(tmp_path: Path) -> None:
    before, after = pictures(tmp_path / "a", 4), pictures(tmp_path / "b", 3)
    images.write(after / "other.png", np.zeros((64, 64, 3), np.uint8))
    images.write(after / "0.jpg", np.zeros((64, 64, 3), np.uint8))
    assert train(TrainingSpec(pairs=(before, after)), tmp_path / "f", size=64, steps=2, threads=1).unpaired == 3


def test_pairs_of_another_shape_are_refused(tmp_path: Path) -> None:
    before, after = pictures(tmp_path / "a", 2), pictures(tmp_path / "b", 2)
    images.write(after / "1.png", np.zeros((80, 60, 3), np.uint8))
    with pytest.raises(InputError, match="another shape"):
        train(TrainingSpec(pairs=(before, after)), tmp_path / "f", size=64, steps=2)


def test_two_folders_move_pictures_towards_the_second(tmp_path: Path) -> None:
    bright, red = pictures(tmp_path / "a", 3), pictures(tmp_path / "b", 3, lambda p: p * [1, 0.1, 0.1])
    trained_filter = train(TrainingSpec(folders=(bright, red)), tmp_path / "f", size=64, steps=24, threads=1)
    assert trained_filter.history[-1]["moved"] > 0
    assert (tmp_path / "f/recipe.toml").exists()


def test_a_picture_that_moved_to_the_other_folder_is_another_training(tmp_path: Path) -> None:
    first, second = pictures(tmp_path / "a", 2), tmp_path / "b"
    second.mkdir()
    images.write(second / "3.png", np.full((80, 96, 3), 200, np.uint8))
    train(TrainingSpec(folders=(first, second)), tmp_path / "f", size=64, steps=2, threads=1)
    (first / "1.png").rename(second / "1.png")
    with pytest.raises(InputError, match="another training"):
        train(TrainingSpec(folders=(first, second)), tmp_path / "f", size=64, steps=2, threads=1)


def test_a_file_that_holds_no_vgg_is_refused(tmp_path: Path) -> None:
    style = Painting(pictures(tmp_path / "a", 1) / "0.png")
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "v.pth")
    with pytest.raises(InputError, match="no VGG-16"):
        train(TrainingSpec(style=style, vgg=tmp_path / "v.pth"), tmp_path / "f", size=64, steps=4)


def test_a_style_is_approached_with_the_weights_file(tmp_path: Path) -> None:
    """torchvision's names and shapes, with weights that were not learned: the loading is tested, not the look."""
    torch.manual_seed(0)
    own = Vgg().state_dict()
    theirs = {f"features.{name.split('.', 2)[2]}": w for name, w in own.items() if name.startswith("groups")}
    torch.save(theirs, tmp_path / "v.pth")
    loaded = load_vgg(tmp_path / "v.pth")
    x = torch.rand(1, 3, 32, 32)
    assert [tuple(f.shape[1:]) for f in loaded(x)] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    style = Painting(pictures(tmp_path / "a", 1) / "0.png")
    trained_filter = train(
        TrainingSpec(style=style, vgg=tmp_path / "v.pth", pictures=tmp_path / "a"),
        tmp_path / "f",
        size=64,
        steps=4,
        threads=1,
    )
    assert trained_filter.history[-1]["step"] == 4


@pytest.mark.parametrize("spec", [TrainingSpec(), TrainingSpec(effect="a:b", style=Painting(Path("x")))])
def test_one_thing_at_a_time(spec: TrainingSpec, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one thing"):
        train(spec, tmp_path)
