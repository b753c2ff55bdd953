"""Any picture that people have comes in upright, RGB and 8 bit; what is no picture is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketlens import images
from pocketlens.errors import InputError


def _gradient(height: int = 20, width: int = 30) -> images.Picture:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1).astype(np.uint8)


def test_png_comes_back_as_it_was(tmp_path: Path) -> None:
    picture = _gradient()
    images.write(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(images.read(tmp_path / "a.png"), picture)
    assert images.png(picture) == images.png(picture.copy())


def test_sixteen_bit_grey_is_scaled_not_cut(tmp_path: Path) -> None:
    values = (np.arange(600, dtype=np.uint32).reshape(20, 30) * 109).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    picture = images.read(tmp_path / "a.png")
    np.testing.assert_allclose(picture[..., 0], values / 257.0, atol=0.51)
    assert (picture[..., 0] == picture[..., 2]).all()


def test_cmyk_and_palette_become_rgb(tmp_path: Path) -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "cmyk.tiff")
    red.convert("P").save(tmp_path / "palette.png")
    for name in ("cmyk.tiff", "palette.png"):
        assert images.read(tmp_path / name)[4, 4].tolist() == [255, 0, 0]


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(_gradient(20, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees
    image.save(tmp_path / "a.png", exif=exif)
    picture = images.read(tmp_path / "a.png")
    assert picture.shape == (30, 20, 3)
    np.testing.assert_array_equal(picture, np.rot90(_gradient(20, 30), -1))


def test_alpha_is_kept_apart_and_written_back(tmp_path: Path) -> None:
    alpha = np.tile(np.arange(30, dtype=np.uint8) * 8, (20, 1))
    images.write(tmp_path / "a.png", _gradient(), alpha)
    decoded = images.decode(tmp_path / "a.png")
    assert decoded.alpha is not None
    np.testing.assert_array_equal(decoded.alpha, alpha)
    np.testing.assert_array_equal(decoded.picture, _gradient())


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", np.array([[[1, 2, 3]]], np.uint8))
    assert images.read(tmp_path / "a.png").tolist() == [[[1, 2, 3]]]
    assert images.fill(images.read(tmp_path / "a.png"), 32, 32).shape == (32, 32, 3)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a picture"):
        images.read(path)


def test_truncated_picture_is_refused(tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        images.read(tmp_path / "a.png")


def test_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    # A PNG header that claims 60,000 x 60,000 pixels, and no pixels: decoding it would need 10 GB.
    header = Image.new("RGB", (1, 1))
    header.save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"60000|60,000|pixels"):
        images.read(tmp_path / "a.png")


def test_only_formats_of_pictures_are_opened(tmp_path: Path) -> None:
    # Pillow hands PostScript to Ghostscript, whatever the file is called.
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%pipe%touch x) (w) file\n"
    (tmp_path / "a.png").write_bytes(program)
    with pytest.raises(InputError, match="cannot identify"):
        images.read(tmp_path / "a.png")


@pytest.mark.filterwarnings("error")
def test_floats_that_are_no_numbers_and_broken_exif_data_are_no_reason_to_complain(tmp_path: Path) -> None:
    values = np.full((4, 4), 0.5, np.float32)
    values[0], values[1], values[2] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert images.read(tmp_path / "a.tif")[:, 0, 0].tolist() == [0, 255, 0, 128]
    Image.fromarray(_gradient()).save(tmp_path / "b.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05garbage")
    assert images.read(tmp_path / "b.jpg").shape == _gradient().shape


def test_absent_file_and_wrong_suffix_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        images.read(tmp_path / "none.png")
    with pytest.raises(InputError, match="does not end in a picture format"):
        images.write(tmp_path / "a.xyz", _gradient())


def test_to_uint8_clamps_and_rounds() -> None:
    assert images.to_uint8(np.array([-1.0, 0.49, 0.51, 254.9, 400.0])).tolist() == [0, 0, 1, 255, 255]


def test_a_side_that_is_too_long(tmp_path: Path) -> None:
    Image.new("1", (1, 70_000)).save(tmp_path / "tall.png")
    with pytest.raises(InputError, match="a side may have 65,536"):
        images.read(tmp_path / "tall.png")
