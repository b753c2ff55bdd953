"""Pictures that cost more than they are: refused from their head, and the usual ones read in little memory."""

import io
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketlens import images
from pocketlens.errors import InputError


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, depth: int, colour: int, rows: int, interlaced: int = 0) -> bytes:
    row = (width * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth + 7) // 8 + 1
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = zlib.compress(bytes(row) * rows)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@pytest.mark.parametrize(("depth", "colour"), [(8, 0), (8, 2), (8, 6), (16, 0), (16, 2), (1, 0)])
def test_a_png_that_lacks_rows_is_refused_and_a_whole_one_read(tmp_path: Path, depth: int, colour: int) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(_png(50, 100, depth, colour, rows=100))
    assert images.read(path).shape == (100, 50, 3)
    path.write_bytes(_png(50, 100, depth, colour, rows=99))
    with pytest.raises(InputError, match="is cut"):
        images.read(path)


def test_an_interlaced_png_is_whole_where_its_seven_passes_are(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (13, 9, 3), np.uint8)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in picture[y::dy, x::dx] if row.size]
    head = struct.pack(">IIBBBBB", 9, 13, 8, 2, 0, 0, 1)
    for kept, data in ((True, b"".join(rows)), (False, b"".join(rows[:-1]))):
        packed = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")
        (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + packed)
        if kept:
            np.testing.assert_array_equal(images.read(tmp_path / "p.png"), picture)
        else:
            with pytest.raises(InputError, match="is cut"):
                images.read(tmp_path / "p.png")


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(buffer, "JPEG", progressive=True, quality=5)
    good = buffer.getvalue()
    (tmp_path / "p.jpg").write_bytes(good)
    assert images.read(tmp_path / "p.jpg").shape == (2000, 2000, 3)
    scan = good[good.rindex(b"\xff\xda") : -2]
    (tmp_path / "p.jpg").write_bytes(good[:-2] + scan * 3000 + good[-2:])
    start = time.process_time()
    with pytest.raises(InputError, match=r"3,\d+ scans"):
        images.read(tmp_path / "p.jpg")
    assert time.process_time() - start < 1


def test_strips_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (37, 53)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "p.png")
    Image.fromarray((values / 65535).astype(np.float32)).save(tmp_path / "p.tif")
    whole = [images.read(tmp_path / name) for name in ("p.png", "p.tif")]
    np.testing.assert_array_equal(whole[0][..., 0], np.rint(values / 257.0))
    monkeypatch.setattr(images, "_AT_ONCE", 100)
    for name, expected in zip(("p.png", "p.tif"), whole, strict=True):
        np.testing.assert_array_equal(images.read(tmp_path / name), expected)


def test_a_large_grey_picture_of_16_bits_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(_png(5000, 5000, 16, 0, rows=5000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    images.read(tmp_path / "p.png")
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert taken < 25_000_000 * 16  # two bytes, the grey, the RGB as Pillow keeps it and as it is given
