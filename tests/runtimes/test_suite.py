"""What every runtime must do. A new one is in here as soon as it has its line in the table and an artifact below."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pocketlens.converters.emitter import Labels, emitter
from pocketlens.errors import InputError
from pocketlens.images import LUMA, Picture
from pocketlens.runtimes import pixels
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.runtimes.session import Session, open_artifact
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph

SIZE = (32, 48)
CLOSE = {"mil": 1}
"""How far a pixel may be from onnxruntime's, of 255, where it is not 1."""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One generator, as a file of every target whose runtime is here: suffix to path, of compiled files the runtime."""
    folder, graph, made = tmp_path_factory.mktemp("suite"), small_graph(*SIZE), {}
    for target in TARGETS.values():
        if not target.extra:
            made[target.suffix] = folder / f"m{target.suffix}"
            emitter(target.name).emit(graph, "fp32", Labels("suite"), made[target.suffix])
        elif not RUNTIMES[target.runtimes[0]].missing():
            key = target.runtimes[0] if RUNTIMES[target.runtimes[0]].compiled else target.suffix
            made[key] = folder / f"{target.name}{target.suffix}"
            emitter(target.name).emit(graph, target.float_precision, Labels("suite"), made[key])
    return made


PAIRS = [
    (name, name if runtime.compiled else suffix) for name, runtime in RUNTIMES.items() for suffix in runtime.suffixes
]


@pytest.fixture(params=PAIRS, ids="-".join)
def opened(request: pytest.FixtureRequest, artifacts: dict[str, Path]) -> Callable[..., Session]:
    name, suffix = request.param
    if reason := RUNTIMES[name].missing():
        pytest.skip(f"{name}: {reason}: {RUNTIMES[name].install}")
    return lambda **options: open_artifact(artifacts[suffix], name, **options)


def test_shapes_and_parity(opened: Callable[..., Session], artifacts: dict[str, Path]) -> None:
    with opened() as session, open_artifact(artifacts[".onnx"], "onnxruntime") as reference:
        assert session.size == SIZE
        for seed in range(3):
            stylized = session(picture(*SIZE, seed))
            assert (stylized.shape, stylized.dtype) == ((*SIZE, 3), np.uint8)
            assert np.abs(stylized.astype(int) - reference(picture(*SIZE, seed))).max() <= 1
        assert np.array_equal(session(picture(*SIZE)), np.rint(np.clip(session.floats(picture(*SIZE)), 0, 255)))
        assert session(picture(50, 31)).shape == (50, 31, 3)


def test_threads_share_the_rows_of_a_large_picture(
    opened: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(threads=3) as session:
        alone = session(picture(*SIZE))
    monkeypatch.setattr(pixels, "_MIN_SHARED", 1)
    with opened(threads=3) as session:
        assert np.array_equal(session(picture(*SIZE)), alone)


def test_a_result_is_the_callers_own(opened: Callable[..., Session]) -> None:
    with opened() as session:
        first = session(picture(*SIZE))
        kept = first.copy()
        second = session(picture(*SIZE, 1))
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("threads", [1, 2])
def test_number_of_threads(opened: Callable[..., Session], threads: int) -> None:
    with opened(threads=threads) as session:
        assert session.runtime_info.threads in (threads, None)
        assert session.runtime_info.runtime == session.runtime
        assert session.runtime_info.version and session.runtime_info.precision
        assert "plays:" in session.explain()


TURNS = """
import sys, threading
from pathlib import Path
import numpy as np
from pocketlens.runtimes.session import open_artifact
pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), dtype=np.uint8)
wrong = []
with open_artifact(Path(sys.argv[1]), sys.argv[2]) as session:
    expected = [session(image) for image in pictures]
    def play(i):
        wrong.extend(i for _ in range(5) if not np.array_equal(session(pictures[i]), expected[i]))
    players = [threading.Thread(target=play, args=(i,)) for i in range(4)]
    [player.start() for player in players]
    [player.join() for player in players]
for _ in range(3 if sys.argv[2] == "qnn" else 12):  # closed while the threads that played are just ending
    with open_artifact(Path(sys.argv[1]), sys.argv[2], 1) as session:
        players = [threading.Thread(target=session, args=(pictures[0],)) for i in range(4)]
        [player.start() for player in players]
        [player.join() for player in players]
print(wrong)
"""


@pytest.mark.parametrize(("name", "suffix"), PAIRS)
def test_threads_take_turns(artifacts: dict[str, Path], name: str, suffix: str) -> None:
    # In a process of its own: a crash there is a failure here, not the end of all tests.
    if reason := RUNTIMES[name].missing():
        pytest.skip(f"{name}: {reason}: {RUNTIMES[name].install}")
    command = [sys.executable, "-c", TURNS, str(artifacts[suffix]), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("[]"), done.stderr[-500:]


def test_repeated_load_and_close(opened: Callable[..., Session]) -> None:
    for _ in range(5):
        session = opened()
        session(picture(*SIZE))
        session.close()
        session.close()
    with pytest.raises(InputError, match="closed"):
        session(picture(*SIZE))
    with pytest.raises(InputError, match="closed"):
        session.floats(picture(*SIZE))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((*SIZE, 3), np.float32),
        np.zeros((*SIZE, 2), np.uint8),
        np.zeros(SIZE[0], np.uint8),
        np.zeros((0, 5, 3), np.uint8),
        [[1, 2, 3]],
    ],
    ids=["floats", "two channels", "a line", "empty", "a list"],
)
def test_wrong_input(opened: Callable[..., Session], wrong: Picture) -> None:
    with opened() as session:
        with pytest.raises(InputError, match="picture is"):
            session(wrong)
        assert session(picture(*SIZE)).shape == (*SIZE, 3)


def test_options_that_it_has_not(opened: Callable[..., Session]) -> None:
    for key in ("accelerator", "compute_precision"):
        with pytest.raises(InputError, match=f"has no {key.replace('_', ' ')} 'quantum'"):
            opened(**{key: "quantum"})
    with pytest.raises(InputError, match="threads is 0"):
        opened(threads=0)
    assert Options() == Options(None)


def test_grey_and_alpha_are_kept(opened: Callable[..., Session]) -> None:
    image = picture(*SIZE)
    alpha = picture(*SIZE, 5)[..., :1]
    with opened() as session:
        colours = session(image)
        kept = session(np.concatenate([image, alpha], axis=2))
        assert np.array_equal(kept[..., :3], colours)
        assert np.array_equal(kept[..., 3:], alpha)
        grey = image[..., 0]
        stylized = session(np.repeat(grey[..., None], 3, axis=2))
        assert np.abs(session(grey) - stylized @ LUMA).max() <= 0.5
        assert session(grey[..., None]).shape == (*SIZE, 1)
