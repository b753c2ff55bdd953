"""``.tflite`` files with wild offsets, lengths, indices and shapes: an error in words, and the process lives."""

import subprocess
import sys
from pathlib import Path

import pytest

from pocketlens.converters.emitter import Labels, emitter
from tests.generators import small_graph

READ = """
import resource, sys
from pathlib import Path
import numpy as np
from pocketlens.errors import InputError
from pocketlens.runtimes.session import open_artifact
good, image = Path(sys.argv[1]).read_bytes(), np.zeros((16, 16, 3), np.uint8)
path = Path(sys.argv[1]).with_name("m.tflite")
def read(data):
    path.write_bytes(data)
    try:
        with open_artifact(path, "litert", threads=1) as session:
            session(image)
    except InputError as error:
        return str(error)
    return ""
assert read(good) == ""
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
told = 0
"""
WILD = """
for place in range({first}, {last}, {step}):
    for word in (b"\\xff\\xff\\xff\\xff", b"\\0\\0\\0\\x80", b"\\xff\\xff\\xff\\x7f", len(good).to_bytes(4, "little")):
        told += bool(read(good[:place] + word + good[place + 4 :]))
print(told)
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wild") / "good.tflite"
    emitter("tflite").emit(small_graph(16, 16), "fp32", Labels("good"), path)
    return path


def _told(good: Path, body: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", READ + body, str(good)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
    return int(done.stdout.split()[-1])


def test_every_offset_at_the_start_of_the_file(good: Path) -> None:
    assert _told(good, WILD.format(first=0, last=160, step=4)) > 20


def test_offsets_all_over_the_file(good: Path) -> None:
    size = good.stat().st_size
    assert _told(good, WILD.format(first=160, last=size - 4, step=max(4, size // 80 // 4 * 4))) > 5


def test_shapes_that_are_not_what_the_operators_make(good: Path) -> None:
    """The padding of the convolution, made huge: it is told, before it takes a terabyte."""
    body = """
pads = np.array([[0, 0], [1, 0], [1, 0], [0, 0]], np.int32)
for wrong in ([0, 2**30], [2**20, 0], [-5, 0], [3, 0]):
    found = None
    for kept in ([[0, 0], [0, 1], [0, 1], [0, 0]], [[0, 0], [1, 0], [1, 0], [0, 0]], [[0, 0], [1, 1], [1, 1], [0, 0]]):
        old = np.array(kept, np.int32).tobytes()
        if old in good:
            found = good.replace(old, np.array([kept[0], wrong, kept[2], kept[3]], np.int32).tobytes())
    assert found is not None
    message = read(found)
    assert "contradicts itself: PAD makes" in message, message
    told += 1
print(told)
"""
    assert _told(good, body) == 4


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(8) + b"TFL3", b"\x1c\0\0\0TFL3" + b"\xff" * 500])
def test_what_is_hardly_a_file(good: Path, data: bytes) -> None:
    assert _told(good, f"told += bool(read({data!r}))\nprint(told)") == 1
