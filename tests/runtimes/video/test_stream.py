"""Clips made here, with sound, rotation, uneven times and full range, go through the stream and come out right."""

import _thread
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pocketlens.converters import graph as hub
from pocketlens.errors import InputError, MissingError
from pocketlens.images import Picture, resize
from pocketlens.quality import psnr
from pocketlens.quality.flicker import flicker
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import Session
from pocketlens.runtimes.video import VideoProgress, stylize
from pocketlens.runtimes.video.preview import PreviewWindow
from pocketlens.runtimes.video.smooth import TemporalSmoother
from pocketlens.runtimes.video.source import Frame, open_camera, open_file
from tests.generators import picture, small_graph

av = pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
EVEN = [512 * i for i in range(12)]
SCENE = picture(96, 128)


def _scene(i: int) -> Picture:
    image = SCENE // 4 * 3
    image[20:40, 4 * i : 4 * i + 20] = (250, 20, 20)
    return image


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    def make(times: list[int] = EVEN, *, sound: bool = False, full: bool = False, turn: int = 0) -> Path:
        path = tmp_path / "in.mp4"
        with av.open(str(path), "w") as out:
            video = out.add_stream("libx264", rate=24, options={"crf": "4"})
            video.height, video.width, video.pix_fmt = 96, 128, "yuv420p"
            video.codec_context.time_base = Fraction(1, 12288)
            video.codec_context.color_range = 2 if full else 1
            video.codec_context.colorspace = 1 if full else 5
            tone = out.add_stream("aac", rate=44100) if sound else None
            for i, pts in enumerate(times):
                frame = av.VideoFrame.from_ndarray(_scene(i), format="rgb24").reformat(
                    format="yuv420p",
                    src_color_range=2,
                    dst_color_range=2 if full else 1,
                    dst_colorspace=1 if full else 5,
                )
                frame.pts, frame.time_base = pts, Fraction(1, 12288)
                out.mux(video.encode(frame))
            out.mux(video.encode())
            for i in range(20 if tone else 0):
                wave = (np.sin(np.arange(1024) / 20)[None] * 0.3).astype(np.float32)
                heard = av.AudioFrame.from_ndarray(np.repeat(wave, 2, 0), format="fltp", layout="stereo")
                heard.rate, heard.pts = 44100, 1024 * i
                out.mux(tone.encode(heard))
            if tone:
                out.mux(tone.encode())
        if turn:
            _turn(path, turn)
        return path

    return make


def _turn(path: Path, degrees: int) -> None:
    """Write the rotation into the track's matrix, where phones put it."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version, flags, times, id, duration, layer, volume
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    for slot, value in zip((0, 1, 3, 4), matrix, strict=True):
        data[at + 4 * slot : at + 4 * slot + 4] = (value * 65536 & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)


def _frames(path: Path) -> list[Frame]:
    source = open_file(path)
    decoded = [item for item in source if isinstance(item, Frame)]
    source.close()
    return decoded


def _sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as opened:
        return [bytes(packet) for packet in opened.demux(opened.streams.audio[0]) if packet.size]


def _seconds(frames: list[Frame]) -> list[float]:
    return [float(frame.pts * frame.time_base) for frame in frames]


def same(image: Picture) -> Picture:
    return image


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("times", [EVEN, [0, 512, 600, 2000, 2048, 9000, 9001, 20000]])
def test_count_and_times(clip: Callable[..., Path], tmp_path: Path, times: list[int], suffix: str) -> None:
    done = stylize(same, open_file(clip(times)), tmp_path / f"out{suffix}")
    before, after = _frames(tmp_path / "in.mp4"), _frames(tmp_path / f"out{suffix}")
    assert len(after) == len(before) == len(times) == done.frames
    assert done.dropped == 0
    assert not done.stopped
    assert _seconds(after) == pytest.approx(_seconds(before), abs=0.0006)  # .mkv counts milliseconds
    assert min(psnr(a.picture, b.picture) for a, b in zip(before, after, strict=True)) > 30


@pytest.mark.parametrize("full", [False, True])
def test_range_and_matrix(clip: Callable[..., Path], tmp_path: Path, full: bool) -> None:
    stylize(same, open_file(clip(full=full)), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as written:
        context = written.streams.video[0].codec_context
        assert (int(context.color_range), int(context.colorspace)) == ((2, 1) if full else (1, 5))
    for frames in (_frames(tmp_path / "in.mp4"), _frames(tmp_path / "out.mp4")):
        for part in (np.s_[:], np.s_[22:38, 4:16]):  # all of it, and the red box
            actual, expected = (image[part].mean((0, 1)) for image in (frames[0].picture, _scene(0)))
            assert abs(actual - expected).max() < 8  # a wrong matrix or range is off by more


def test_the_sound_is_the_same_bytes(clip: Callable[..., Path], tmp_path: Path) -> None:
    stylize(same, open_file(clip(sound=True)), tmp_path / "out.mp4")
    assert _sound(tmp_path / "out.mp4") == _sound(tmp_path / "in.mp4")
    assert len(_sound(tmp_path / "in.mp4")) >= 20


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_what_a_phone_turned(clip: Callable[..., Path], tmp_path: Path, turn: int) -> None:
    upright = np.rot90(_scene(0), -turn // 90)
    seen: list[Picture] = []
    stylize(lambda image: (seen.append(image), image)[1], open_file(clip(turn=turn)), tmp_path / "out.mp4")
    assert abs(seen[0].astype(int) - upright).mean() < 4
    assert _frames(tmp_path / "out.mp4")[0].picture.shape == upright.shape


def test_an_interrupted_stream_is_finished_and_kept(clip: Callable[..., Path], tmp_path: Path) -> None:
    path = clip([512 * i for i in range(300)])

    def slow(image: Picture) -> Picture:
        time.sleep(0.02)
        return image

    threading.Timer(0.6, _thread.interrupt_main).start()
    done = stylize(slow, open_file(path), tmp_path / "out.mp4")
    assert done.stopped
    assert 0 < done.frames < 300
    assert len(_frames(tmp_path / "out.mp4")) == done.frames
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_a_filter_that_fails_leaves_no_file(clip: Callable[..., Path], tmp_path: Path) -> None:
    def fails(image: Picture) -> Picture:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        stylize(fails, open_file(clip()), tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_live_source_drops_what_comes_too_fast(tmp_path: Path) -> None:
    def slow(image: Picture) -> Picture:
        time.sleep(0.1)
        return image

    reports: list[VideoProgress] = []
    source = open_camera("lavfi:testsrc2=size=64x48:rate=50:duration=1")
    done = stylize(slow, source, tmp_path / "out.mp4", progress=reports.append)
    assert done.dropped > 20
    assert done.frames + done.dropped == 50
    assert reports[-1].dropped == done.dropped
    assert reports[-1].p95_ms >= 100
    # A frame waits for at most one other in the filter, and for none behind it.
    assert done.age_ms is not None and 100 <= done.age_ms[0] <= done.age_ms[1] < 400


def test_frames_of_several_sessions_stay_in_order(clip: Callable[..., Path], tmp_path: Path) -> None:
    at_once = threading.Barrier(3)
    calls = itertools.count()

    def uneven(image: Picture) -> Picture:
        if next(calls) < 3:
            at_once.wait(20)  # the first three go on once all three play
        time.sleep(0.03 if image[30, :, 0].argmax() % 8 else 0.005)
        return image

    done = stylize([uneven, uneven, uneven], open_file(clip(sound=True)), tmp_path / "out.mp4")
    assert done.frames == 12 and done.age_ms is None
    assert min(done.decode_ms, done.filter_ms, done.encode_ms) > 0
    stylize(same, open_file(clip(sound=True)), tmp_path / "one.mp4")
    for ours, theirs in zip(_frames(tmp_path / "out.mp4"), _frames(tmp_path / "one.mp4"), strict=True):
        assert np.array_equal(ours.picture, theirs.picture)
    assert _sound(tmp_path / "out.mp4") == _sound(tmp_path / "in.mp4")


@pytest.mark.parametrize("turn", [0, 90])
def test_frames_are_scaled_on_their_way(clip: Callable[..., Path], tmp_path: Path, turn: int) -> None:
    hub.save(small_graph(32, 48), tmp_path / "m.onnx")
    seen: list[Picture] = []

    class Watched(Session):
        def __call__(self, image: Picture, inputs: object = None) -> Picture:
            seen.append(image)
            return image

    path = tmp_path / "m.onnx"
    with Watched(RUNTIMES["onnxruntime"].open(path, 1), "onnxruntime", path) as session:
        assert session.computes_at(96, 128) == (32, 48)
        stylize(session, open_file(clip(turn=turn)), tmp_path / "out.mp4")
    upright = np.rot90(_scene(0), -turn // 90)
    assert {image.shape for image in seen} == {(32, 48, 3)}
    # Found: 41 and 42. With colours of half the width, as FFmpeg scales by itself, it would be 33 and 29.
    assert psnr(seen[0], resize(np.ascontiguousarray(upright), 32, 48)) > 38
    frames = _frames(tmp_path / "out.mp4")
    assert {(frame.size, frame.picture.shape[:2]) for frame in frames} == {(upright.shape[:2], upright.shape[:2])}
    assert psnr(frames[0].picture, resize(seen[0], *upright.shape[:2])) > 28


def test_as_many_frames_as_asked_for(clip: Callable[..., Path], tmp_path: Path) -> None:
    shown: list[Picture] = []

    class Screen:
        def show(self, image: Picture) -> bool:
            shown.append(image)
            return True

    assert stylize(same, open_file(clip()), screen=Screen(), most_frames=5).frames == 5
    assert shown[-1].shape == (96, 128, 3)


def test_a_pipe(clip: Callable[..., Path], tmp_path: Path) -> None:
    stylize(same, open_file(clip()), tmp_path / "in.mkv")
    code = (
        "import sys\nfrom pathlib import Path\nfrom pocketlens.runtimes.video import stylize\n"
        "from pocketlens.runtimes.video.source import open_file\n"
        "print(stylize(lambda image: image, open_file(Path('-')), Path(sys.argv[1])).frames)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out.mp4")]
    with (tmp_path / "in.mkv").open("rb") as piped:
        cat = subprocess.Popen(["cat"], stdin=piped, stdout=subprocess.PIPE)
        done = subprocess.run(command, stdin=cat.stdout, capture_output=True, text=True, check=False)
        cat.wait()
    assert done.stdout.strip() == "12", done.stderr[-500:]
    assert len(_frames(tmp_path / "out.mp4")) == 12


def test_a_camera_that_cannot_be_opened_here() -> None:
    if "v4l2" in av.formats_available or sys.platform != "linux":
        pytest.skip("this PyAV opens cameras itself")
    with pytest.raises(MissingError, match="v4l2") as raised:
        open_camera("0")
    assert "ffmpeg -f v4l2 -i /dev/video0" in raised.value.do


def test_wrong_sources_and_targets(clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(InputError, match="cannot be opened as video"):
        open_file(tmp_path / "x.mp4")
    with pytest.raises(InputError, match="does not exist"):
        open_file(tmp_path / "y.mp4")
    with pytest.raises(InputError, match="video format"):
        stylize(same, open_file(clip()), tmp_path / "out.txt")
    with pytest.raises(MissingError, match="cannot open nothing devices"):
        open_camera("nothing:here")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(MissingError, match="display"):
        PreviewWindow("x")


def test_smoothing_calms_what_stands_still_and_leaves_what_moves() -> None:
    rng = np.random.default_rng(0)
    smooth = TemporalSmoother(0.7)
    raw, calm = [], []
    for i in range(10):
        scene = _scene(i)
        stylized = np.clip(scene.astype(int) + rng.normal(0, 12, scene.shape), 0, 255).astype(np.uint8)
        smoothed = smooth(scene, stylized)
        raw.append(stylized.astype(int))
        calm.append(smoothed.astype(int))
    still = np.s_[50:]
    flicker = [np.abs(b[still] - a[still]).mean() for a, b in itertools.pairwise(raw[3:])]
    calmed = [np.abs(b[still] - a[still]).mean() for a, b in itertools.pairwise(calm[3:])]
    assert np.mean(calmed) < 0.5 * np.mean(flicker)
    edge = [
        np.abs(c[22:38, 4 * i + 16 : 4 * i + 20] - r[22:38, 4 * i + 16 : 4 * i + 20]).mean()
        for i, (c, r) in enumerate(zip(calm, raw, strict=True))
    ]
    assert max(edge) < 4  # what has just come into view is not mixed with what was there before


def test_smoothing_halves_flicker_and_keeps_moving_edges() -> None:
    """A filter with hard steps turns a camera's noise into flicker; the teacher's clip is the same without noise."""
    rng, smooth = np.random.default_rng(0), TemporalSmoother(0.7)
    teachers, raw, calm, mixed, moving = [], [], [], [], []
    for i in range(16):
        scene = _scene(i)
        noisy = np.clip(scene + rng.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)
        teachers.append(scene // 32 * 32)
        raw.append(noisy // 32 * 32)
        calm.append(smooth(noisy, raw[-1]))
        mixed.append((0.3 * raw[-1] + 0.7 * (mixed[-1] if mixed else raw[-1])).astype(np.float32))
        moving.append(np.s_[18:42, max(0, 4 * i - 4) : 4 * i + 24])
    assert flicker(teachers, calm).mean < 0.5 * flicker(teachers, raw).mean

    def edges(frames: list[Picture]) -> float:
        pairs = list(zip(teachers, frames, moving, strict=True))[1:]
        return float(np.mean([psnr(teacher[part], frame[part]) for teacher, frame, part in pairs]))

    assert edges(calm) > edges(raw) - 2
    assert edges(mixed) < edges(raw) - 6  # what smears is seen: the same strength everywhere


def test_a_live_pipe_is_kept_up_with(clip: Callable[..., Path], tmp_path: Path) -> None:
    """A pipe that another process fills in real time, 50 frames in 2 seconds, through a filter that manages 10 a
    second.
    """
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    code = (
        "import sys, time\nimport av\nimport numpy as np\n"
        "with av.open(sys.argv[1], 'w', format='mpegts') as out:\n"
        "    video = out.add_stream('mpeg2video', rate=25)\n"
        "    video.height, video.width, video.pix_fmt = 96, 128, 'yuv420p'\n"
        "    began = time.monotonic()\n"
        "    for i in range(50):\n"
        "        frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 4 * i + 20, np.uint8), format='rgb24')\n"
        "        time.sleep(max(0, began + i / 25 - time.monotonic()))\n"
        "        out.mux(video.encode(frame))\n"
        "    out.mux(video.encode())\n"
    )
    filming = subprocess.Popen([sys.executable, "-c", code, str(pipe)])
    seen: list[int] = []

    def slow(image: Picture) -> Picture:
        time.sleep(0.1)
        seen.append(round((float(image.mean()) - 20) / 4))
        return image

    done = stylize(slow, open_camera(f"mpegts:{pipe}"), tmp_path / "out.mp4")
    assert filming.wait() == 0
    assert done.frames + done.dropped == 50
    assert done.dropped >= 10
    assert seen == sorted(seen)
    assert seen[-1] >= 48  # the newest is shown, not what has waited longest
