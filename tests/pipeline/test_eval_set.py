"""Pictures that judge, pictures that calibrate, and clips."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from pocketlens import images, quality
from pocketlens.errors import InputError
from pocketlens.pipeline import clips
from pocketlens.pipeline.eval_set import read_eval_set
from tests.generators import picture


def folder(path: Path, *seeds: int) -> Path:
    path.mkdir()
    for seed in seeds:
        images.write(path / f"{seed}.png", picture(40, 56, seed))
    return path


def test_a_picture_may_not_calibrate_and_judge_whatever_it_is_called(tmp_path: Path) -> None:
    judge, calibrate = folder(tmp_path / "judge", 1, 2), folder(tmp_path / "calibrate", 3)
    assert len(read_eval_set(judge, 32, 48, calibrate=calibrate).calibration) == 1
    images.write(calibrate / "other.bmp", picture(40, 56, 2))
    with pytest.raises(InputError, match=r"other.bmp calibrates and, as .*2.png, judges"):
        read_eval_set(judge, 32, 48, calibrate=calibrate)


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (90, 64)])
def test_a_synthetic_clip_moves_and_then_stands_still_but_for_noise(size: tuple[int, int]) -> None:
    clip = clips.synthetic(picture(100, 80), *size)
    assert len(clip) == clips.FRAMES
    assert {f.shape for f in clip} == {(*size, 3)}
    assert all((a == b).all() for a, b in zip(clip, clips.synthetic(picture(100, 80), *size), strict=True))
    change = [float(np.abs(np.float32(b) - a).mean()) for a, b in itertools.pairwise(clip)]
    assert 1 < change[-1] < 4  # noise alone
    assert min(change[:2]) > change[-1] * 0.9
    assert quality.flicker(clip, clip).worst == 0


def test_a_folder_of_frames_is_a_clip(tmp_path: Path) -> None:
    given = folder(tmp_path / "frames", 1, 2, 3)
    found = read_eval_set(None, 32, 48, clip=given)
    assert len(found.clip) == 3
    assert found.digest() != read_eval_set(None, 32, 48).digest()
    with pytest.raises(InputError, match="holds 1 frames"):
        read_eval_set(None, 32, 48, clip=folder(tmp_path / "one", 1))
    with pytest.raises(InputError, match="does not exist"):
        read_eval_set(None, 32, 48, clip=tmp_path / "none.mp4")
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be opened as video"):
        read_eval_set(None, 32, 48, clip=tmp_path / "no.mp4")
