"""States between frames, second pictures, alpha and other sizes: kept from the source to a session of a bundle."""

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import pocketlens
from pocketlens.bundle.verify import verify
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError, PocketlensError
from pocketlens.images import Floats, Picture
from pocketlens.models.source import resolve, wrap
from pocketlens.pipeline.commands.build import build
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.runtimes.session import open_artifact
from pocketlens.runtimes.video import stylize
from pocketlens.runtimes.video.source import open_file
from tests.generators import picture
from tests.pipeline import beside_nets as nets

HERE = "tests.pipeline.beside_nets"
SIZE = (32, 48)
UNIT = ((0.0, 1.0), (0.0, 1.0))
STATES = Signature(output="0", alpha="1", states=(("r1", "2"), ("r2", "3")))
ALL = ("onnx", "openvino", "tflite", "coreml")
FRAMES = [picture(*SIZE, seed) for seed in (1, 2, 3)]


def _by_hand(frames: list[Picture]) -> list[Floats]:
    """What the matte makes of frames behind each other, colours and alpha, computed without Pocketlens."""
    module, states, made = nets.matte(), (None, None), []
    for frame in frames:
        with torch.no_grad():
            colours, alpha, *states = module(torch.from_numpy(frame / np.float32(255)).permute(2, 0, 1)[None], *states)
        made.append(255 * torch.cat([colours, alpha], 1)[0].permute(1, 2, 0).numpy())
    return made


@pytest.fixture(scope="module")
def mattes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matte's files of all four targets."""
    folder = tmp_path_factory.mktemp("mattes")
    made = convert(f"{HERE}:matte", ALL, ("fp32",), folder, size=SIZE, signature=STATES)
    assert not made.failed
    convert(f"{HERE}:matte", ("tflite",), ("int8",), folder, size=SIZE, signature=STATES)
    return folder


@pytest.mark.parametrize("name", ["onnx-fp32", "openvino-fp32", "tflite-fp32", "coreml-fp32", "tflite-int8"])
def test_a_session_keeps_states_between_frames(mattes: Path, name: str) -> None:
    path = next(p for p in mattes.glob(f"{name}-*") if p.suffix != ".bin")
    close = 2 if "int8" in name else 0.02
    with open_artifact(path) as session:
        assert session.states == 2
        for _ in range(2):
            session.reset()
            for frame, expected in zip(FRAMES, _by_hand(FRAMES), strict=True):
                assert np.abs(session.floats(frame, follow=True) - expected).mean() < close
        session.reset()
        drawn = [session(frame) for frame in FRAMES]
        assert drawn[0].shape == (*SIZE, 4)
        assert np.abs(drawn[2] - _by_hand(FRAMES)[2]).mean() < close + 0.3
        assert np.abs(session.floats(FRAMES[0]) - _by_hand(FRAMES[:1] * 2)[1]).mean() < close


def test_states_matter() -> None:
    alone, second = _by_hand(FRAMES[:1])[0], _by_hand(FRAMES[:1] * 2)[1]
    assert np.abs(alone - second).max() > 5


@pytest.mark.parametrize("free", [False, True])
def test_states_of_a_file(tmp_path: Path, free: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nets.matte_file(tmp_path / "m.onnx", free=free)
    signature = Signature(output="fgr", alpha="pha", states=(("r1i", "r1o"), ("r2i", "r2o")))
    (made,) = convert(
        str(tmp_path / "m.onnx"), ("onnx",), ("fp32",), tmp_path, size=SIZE, ranges=UNIT, signature=signature
    )
    with open_artifact(made.path) as session:
        for frame, expected in zip(FRAMES, _by_hand(FRAMES), strict=True):
            assert np.abs(session.floats(frame, follow=True) - expected).max() < 0.05
    teacher = teacher_of(resolve("m.onnx", base=tmp_path, ranges=UNIT, signature=signature))
    followed = [teacher(frame, follow=True) for frame in FRAMES]
    assert np.abs(followed[1][..., 3] - _by_hand([FRAMES[0], *FRAMES[:2]])[2][..., 3]).max() < 0.05
    assert np.abs(teacher(FRAMES[0]) - _by_hand(FRAMES[:1] * 2)[1]).max() < 0.05


def test_what_is_said_of_states_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="r9"):
        wrap(nets.matte(), "matte", signature=Signature(output="0", states=(("r9", "2"),)))
    with pytest.raises(InputError, match="named twice"):
        Signature(output="0", states=(("r1", "2"), ("r2", "2")))
    crossed = Signature(output="0", alpha="1", states=(("r1", "3"), ("r2", "2")))
    with pytest.raises(PocketlensError, match="--state"):
        convert(f"{HERE}:matte", ("onnx",), ("fp32",), tmp_path, size=SIZE, signature=crossed)
    with pytest.raises(InputError, match=r"state_0.*one picture in and one out"):
        convert(f"{HERE}:matte", ("coreai",), ("fp16",), tmp_path, size=SIZE, signature=STATES)


@pytest.mark.parametrize(("name", "channels"), [("reference", 3), ("mask", 1)])
def test_a_second_picture(tmp_path: Path, name: str, channels: int) -> None:
    made = convert(f"{HERE}:{name}", ALL, ("fp32",), tmp_path, size=SIZE, signature=Signature(second="other"))
    image, other = FRAMES[0], FRAMES[1] if channels == 3 else FRAMES[1][..., 0]
    planar = torch.from_numpy(np.atleast_3d(other) / np.float32(255)).permute(2, 0, 1)[None]
    with torch.no_grad():
        values = getattr(nets, name)()(
            torch.from_numpy(image / np.float32(127.5) - 1).permute(2, 0, 1)[None],
            planar * 2 - 1 if channels == 3 else planar,
        )
    expected = 127.5 * (values[0].permute(1, 2, 0).numpy() + 1)
    assert not made.failed
    for artifact in made:
        with open_artifact(artifact.path) as session:
            assert session.second == channels
            given = session.floats(image, {"second": np.atleast_3d(other)})
            assert np.abs(given - expected).max() < 0.05, artifact.spec.id
            with pytest.raises(InputError, match="takes a second picture"):
                session(image)
            session.second_picture = other
            assert np.abs(session(image) - expected).max() < 0.6
            large = np.repeat(np.repeat(image, 2, 0), 2, 1)
            assert session(large).shape == large.shape


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matte and the enlarging net as bundles."""
    folder = tmp_path_factory.mktemp("bundles")
    said = 'output = "0"\nalpha = "1"\nstates = { r1 = "2", r2 = "3" }\n'
    for name, more in (("matte", said), ("enlarging", "")):
        text = (
            f'[filter]\nname = "{name}"\nsource = "{HERE}:{name}"\nsizes = [[32, 48]]\nlicense = "MIT"\n{more}'
            '[targets]\nonnx = ["fp32"]\ntflite = ["fp16"]\ncoreml = ["fp16"]\n[accelerators]\nlitert_gpu = "off"\n'
        )
        (folder / f"{name}.toml").write_text(text)
        build(folder / f"{name}.toml", folder / f"{name}.bundle", bench=False)
    return folder


@pytest.mark.parametrize(("name", "lines"), [
    ("matte", ["OUT_HEIGHT = 32", "List(2)", "fun reset()", "alphaValues[i]"]),
    ("enlarging", ["OUT_HEIGHT = 64", "OUT_WIDTH = 96", "bitmap.width * OUT_WIDTH / WIDTH"]),
])  # fmt: skip
def test_bundles_verify_and_their_snippets_know(bundles: Path, name: str, lines: list[str]) -> None:
    report = verify(bundles / f"{name}.bundle")
    assert report.verdict == "pass" and report.played >= 3, report.checks
    kotlin = next((bundles / f"{name}.bundle/snippets/android").glob("*.kt")).read_text()
    assert [line for line in lines if line not in kotlin] == []
    assert all(len(line) <= 120 for line in kotlin.splitlines())
    swift = next((bundles / f"{name}.bundle/snippets/ios").glob("*.swift")).read_text()
    assert ("factor: CGFloat = 2" in swift) == (name == "enlarging")
    assert ("states[" in swift) == (name == "matte")
    for code in (kotlin, swift):
        assert [code.count(left) - code.count(right) for left, right in ("()", "[]", "{}")] == [0, 0, 0]


def test_a_session_of_a_bundle(bundles: Path) -> None:
    with pocketlens.load(bundles / "matte.bundle", "onnxruntime") as session:
        drawn = [session(frame) for frame in FRAMES]
        assert np.abs(drawn[2] - _by_hand(FRAMES)[2]).max() < 0.6
        with pytest.raises(InputError, match="tiles would mix"):
            pocketlens.load(bundles / "matte.bundle", "onnxruntime", resize="tile")
    with pocketlens.load(bundles / "enlarging.bundle", "onnxruntime") as session:
        assert session.factor == Fraction(2) and session(FRAMES[0]).shape == (64, 96, 3)


def test_a_clip_keeps_states_and_lies_over_green(bundles: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
    path = tmp_path / "c.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 10)
        stream.height, stream.width = SIZE
        for seed in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(*SIZE, seed), format="rgb24")))
        container.mux(stream.encode())
    with pocketlens.load(bundles / "matte.bundle", "onnxruntime") as session:
        runs = []
        for name in ("a.mkv", "b.mkv"):
            assert stylize(session, open_file(path), tmp_path / name).frames == 5
            runs.append([frame.picture for frame in open_file(tmp_path / name) if hasattr(frame, "picture")])
    assert len(runs[0]) == 5 and runs[0][0].shape == (*SIZE, 3)
    assert all(np.array_equal(*pair) for pair in zip(*runs, strict=True))  # the second clip begins from zeros too
