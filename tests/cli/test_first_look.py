"""The first picture or frame that a file of somebody else's gives is looked at: ranges that nobody said show there."""

import tracemalloc
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens import images
from pocketlens.bundle.first_look import FirstLook
from tests.cli.calls import call
from tests.converters.graph_builder import GraphBuilder
from tests.generators import picture

UNIT = ("--input-range", "0", "1", "--output-range", "0", "1")
SAID = "--input-range 0 1 --output-range 0 1 gives a picture"


@pytest.fixture
def unit_range(tmp_path: Path) -> Path:
    """A file that takes and gives 0..1."""
    builder = GraphBuilder((1, 3, 32, 48))
    builder.add("Clip", "x", builder.array(0.0), builder.array(1.0))
    ir.save(builder.model(), tmp_path / "unit.onnx")
    return tmp_path / "unit.onnx"


@pytest.fixture
def glaring(tmp_path: Path) -> Path:
    """A file of 0..255 whose values mostly lie beyond white."""
    builder = GraphBuilder((1, 3, 32, 48))
    builder.add("Mul", "x", builder.array(4.0))
    ir.save(builder.model(), tmp_path / "glaring.onnx")
    return tmp_path / "glaring.onnx"


def clip(folder: Path) -> Path:
    """Black frames, as films begin with, then a picture."""
    av = pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
    path = folder / "in.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for frame in (np.zeros((32, 48, 3), np.uint8), np.zeros((32, 48, 3), np.uint8), picture(32, 48)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    return path


def asked(kind: str, folder: Path) -> tuple[object, ...]:
    """A picture or a clip as ``run`` takes it, and where the result goes."""
    if kind == "clip":
        return "--video", clip(folder), "-o", folder / "out.mp4"
    images.write(folder / "a.png", picture(32, 48))
    return folder / "a.png", "-o", folder / "out"


@pytest.mark.parametrize("kind", ["picture", "clip"])
def test_black_ones_are_refused_until_the_ranges_are_said(unit_range: Path, tmp_path: Path, kind: str) -> None:
    words = asked(kind, tmp_path)
    refused = " ".join(call("run", unit_range, *words, code=2).stderr.split())
    assert "the pictures are black" in refused and SAID in refused
    assert not (tmp_path / "out.mp4").exists() and not (tmp_path / "out").exists()
    shown = call("run", unit_range, *words, *UNIT)
    assert "black" not in shown.stderr
    assert (tmp_path / "out.mp4").exists() or (tmp_path / "out/a.png").exists()


def test_a_large_picture_is_looked_at_in_little_room(tmp_path: Path) -> None:
    """A picture of 100 megapixels took 4.5 GB more for the look than for all else."""
    large = np.tile(picture(500, 400), (8, 10, 1))
    tracemalloc.start()
    look = FirstLook(tmp_path / "some.bundle", (None, None))
    look.check(large, large // 64, (32, 48))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "of one shade" in look.warnings[0] or "black" in look.warnings[0]
    assert peak < 3 * large.nbytes, "16 megapixels are 48 MB, and as float64 384"


@pytest.mark.parametrize("kind", ["picture", "clip"])
def test_saturated_ones_are_a_warning(glaring: Path, tmp_path: Path, kind: str) -> None:
    shown = call("run", glaring, *asked(kind, tmp_path))
    assert "of every picture's values are 0 or 255" in " ".join(shown.stderr.split())
