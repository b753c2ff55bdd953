"""Clips that are damaged or made to harm: each gives all its frames, or an error in words."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pocketlens.errors import InputError
from pocketlens.pipeline import clips
from pocketlens.runtimes.video.source import Frame, open_file

av = pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
FRAMES = 12


def _write(path: Path, size: tuple[int, int] = (48, 64), codec: str = "ffv1", pixels: str = "bgr0") -> Path:
    """A clip of moving noise, so that no frame is small."""
    with av.open(str(path.absolute()), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        rng = np.random.default_rng(1)
        for _ in range(FRAMES):
            picture = rng.integers(0, 256, (*size, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)))
        container.mux(stream.encode())
    return path


def _cut(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return damage


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")


def _list_of_clips(path: Path) -> None:
    path.rename(path.with_name("other.mkv"))
    path.write_text("ffconcat version 1.0\nfile other.mkv\n")


def _no_picture(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _unknown_codec(path: Path) -> None:
    """A stream of a codec that nobody knows: PyAV gives it no codec context."""
    path.write_bytes(path.read_bytes().replace(b"V_MS/VFW/FOURCC", b"V_ZZ/VFW/FOURCC").replace(b"V_FFV1", b"V_FFZ9"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut(0), "cannot be opened"),
        (_cut(0.003), "cannot be opened|no picture|cut|cannot decode"),
        (_cut(0.4), "is cut|is damaged"),
        (_cut(0.7), "is cut|is damaged"),
        (_playlist, "cannot be opened|no picture|no frame"),
        (_list_of_clips, "cannot be opened"),
        (_no_picture, "no picture"),
        (_unknown_codec, "cannot decode|no picture"),
    ],
)
def test_damaged(tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    path = _write(tmp_path / "c.mkv")
    damage(path)
    with pytest.raises(InputError, match=words):
        for _ in open_file(path):
            pass
    with pytest.raises(InputError):
        clips.read(path, 16, 16)


@pytest.mark.parametrize("size", [(1, 1), (1, 8)])
def test_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    path = _write(tmp_path / "c.mkv", size)
    with pytest.raises(InputError, match="at least 2 x 2"):
        open_file(path)


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = _write(Path("12:30.mkv"))
    assert sum(isinstance(item, Frame) for item in open_file(path)) == FRAMES
    assert len(clips.read(path, 16, 24)) == FRAMES


def test_only_the_first_frames_of_a_long_clip_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_FRAMES", 5)
    path = _write(tmp_path / "c.mkv")
    read = clips.read(path, 48, 64)
    frames = [item.picture for item in islice(open_file(path), 5)]
    assert len(read) == 5 and all(np.array_equal(*pair) for pair in zip(read, frames, strict=True))
