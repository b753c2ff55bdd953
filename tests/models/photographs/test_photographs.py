from pathlib import Path

import pytest

from pocketlens import images
from pocketlens.models.photographs import photographs

FREE = {"CC0-1.0", "public domain"}


def test_every_photograph_is_there_and_free() -> None:
    for photograph in photographs.table():
        assert photograph.licence in FREE and photograph.author and photograph.stated
        assert min(photographs.load(photograph).shape[:2]) >= 192, photograph.name  # the side that training cuts


def test_nothing_that_judges_is_trained_or_calibrated_on() -> None:
    files: dict[str, set[str]] = {}
    for photograph in photographs.table():
        files.setdefault(photograph.file, set()).add(photograph.use)
    assert all(len(uses) == 1 for uses in files.values())


@pytest.mark.parametrize("use", ["judge", "calibrate"])
def test_pictures_that_ship_are_small_and_listed(use: str) -> None:
    listed = (photographs.FOLDER / "LICENSES.md").read_text(encoding="utf-8")
    pictures = images.folder(photographs.FOLDER / use)
    assert [p.stem for p in pictures] == sorted(p.name for p in photographs.table() if p.use == use)
    for path in pictures:
        assert path.stat().st_size < 60_000
        height, width = images.read(path).shape[:2]
        assert 256 <= max(height, width) <= 512
        assert f"| {use}/{path.name} |" in listed


def test_cutting_again_gives_the_pictures_that_ship(tmp_path: Path) -> None:
    photographs.cut(tmp_path)
    for path in sorted(p for p in photographs.FOLDER.rglob("*") if p.is_file()):
        again = tmp_path / path.relative_to(photographs.FOLDER)
        if path.suffix == ".jpg":  # another libjpeg may write other bytes for the same picture
            assert abs(images.read(again).astype(int) - images.read(path)).mean() < 1
        else:
            assert again.read_bytes() == path.read_bytes()
