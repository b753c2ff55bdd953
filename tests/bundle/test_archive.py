"""Hostile zips. Each is refused before anything is written outside the temporary folder, and that folder goes away."""

import shutil
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketlens.bundle import archive
from pocketlens.bundle.read import open_bundle
from pocketlens.errors import InputError

Add = Callable[[zipfile.ZipFile], None]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary folders: empty after every refusal."""
    (tmp_path / "room").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "room"))
    return tmp_path / "room"


def entry(name: str, data: bytes = b"x", mode: int = 0o100644) -> Add:
    def add(target: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        target.writestr(info, data)

    return add


def both(*adds: Add) -> Add:
    def add(target: zipfile.ZipFile) -> None:
        for add in adds:
            add(target)

    return add


def bomb(target: zipfile.ZipFile) -> None:
    target.writestr("artifacts/bomb", b"\0" * 5_000_000, zipfile.ZIP_DEFLATED)


def lzma(target: zipfile.ZipFile) -> None:
    target.writestr("artifacts/l", b"x" * 100, zipfile.ZIP_LZMA)


def many(target: zipfile.ZipFile) -> None:
    for i in range(archive.MAX_ENTRIES):
        target.writestr(f"artifacts/{i}", b"")


ATTACKS = {
    "deep": (entry("/".join("d" * 2000)), "more than 64 parts"),
    "deep folder": (entry("d/" * 2000, b"", 0o040755), "more than 64 parts"),
    "traversal": (entry("../escaped"), r"holds '\.\.'"),
    "traversal inside": (entry("artifacts/../../escaped"), r"holds '\.\.'"),
    "absolute": (entry("/tmp/pocketlens-escaped"), "absolute"),
    "drive letter": (entry("C:/escaped"), "colon"),
    "backslash": (entry("..\\escaped"), "backslash"),
    "empty part": (entry("artifacts//x"), "empty part"),
    "dot": (entry("./manifest.json"), r"holds '\.'"),
    "control character": (entry("artifacts/a\nb"), "control character"),
    "long name": (entry("a" * 300), "longer than"),
    "trailing dot": (entry("manifest.json."), "ends in a dot"),
    "symlink": (entry("artifacts/link", b"/etc/passwd", stat.S_IFLNK | 0o777), "link or a device"),
    "device": (entry("artifacts/dev", b"", stat.S_IFCHR | 0o600), "link or a device"),
    "folder as symlink": (entry("link/", b"", stat.S_IFLNK | 0o777), "link or a device"),
    "other case": (entry("Recipe.TOML"), "the name of two entries"),
    "other accents": (both(entry("a/\u00e9"), entry("a/e\u0301")), "the name of two entries"),
    "inside a file": (entry("recipe.toml/x"), "lies inside a file"),
    "bomb": (bomb, "grows from"),
    "other method": (lzma, "compressed with method"),
    "too many": (many, "entries, more than"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused(zipped: Path, room: Path, name: str) -> None:
    add, message = ATTACKS[name]
    with zipfile.ZipFile(zipped, "a") as target:
        add(target)
    with pytest.raises(InputError, match=message) as caught:
        open_bundle(zipped)
    assert caught.value.do
    assert list(room.iterdir()) == []
    assert not list(room.parent.glob("*escaped*"))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_the_same_name_twice(zipped: Path, room: Path) -> None:
    with zipfile.ZipFile(zipped, "a") as target:
        target.writestr("recipe.toml", "other")
    with pytest.raises(InputError, match="the name of two entries"):
        open_bundle(zipped)


def patch(path: Path, name: bytes, local: int, central: int, form: str, value: int) -> None:
    """Overwrite a field of an entry's local and central header; offsets are those of the zip format."""
    data = bytearray(path.read_bytes())
    for signature, offset, header in ((b"PK\3\4", local, 30), (b"PK\1\2", central, 46)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            if data[at + header : at + header + len(name)] == name:
                struct.pack_into(form, data, at + offset, value)
                break
        else:
            raise AssertionError(f"{name!r} is not in {path}")
    path.write_bytes(data)


def test_encrypted(zipped: Path, room: Path) -> None:
    patch(zipped, b"recipe.toml", 6, 8, "<H", 1)
    with pytest.raises(InputError, match="encrypted"):
        open_bundle(zipped)
    assert list(room.iterdir()) == []


def test_a_size_that_is_a_lie(tmp_path: Path, room: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("manifest.json", b"\0" * 3_000_000)
    patch(tmp_path / "z.zip", b"manifest.json", 22, 24, "<I", 10)
    with pytest.raises(InputError):
        open_bundle(tmp_path / "z.zip")
    assert list(room.iterdir()) == []


def test_a_total_beyond_the_limit(zipped: Path, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 5_000)
    with pytest.raises(InputError, match="unpacks to"):
        open_bundle(zipped)


def test_a_damaged_zip(zipped: Path, room: Path) -> None:
    data = bytearray(zipped.read_bytes())
    at = data.find(b"PK\3\4") + 60
    data[at : at + 20] = b"\xff" * 20
    zipped.write_bytes(data)
    with pytest.raises(InputError, match="not a readable zip"):
        open_bundle(zipped)
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 1, 100, 5_000, -1])
def test_a_truncated_zip(zipped: Path, room: Path, keep: int) -> None:
    zipped.write_bytes(zipped.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a readable zip"):
        open_bundle(zipped)
    assert list(room.iterdir()) == []


def test_a_zip_without_a_manifest(tmp_path: Path, room: Path) -> None:
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as target:
        target.writestr("beach.png", b"")
    with pytest.raises(InputError, match=r"no bundle: it holds no manifest\.json"):
        open_bundle(tmp_path / "holiday.zip")
    assert list(room.iterdir()) == []


def test_a_bundle_that_was_zipped_again_by_a_desktop(bundle: Path, room: Path) -> None:
    again = Path(shutil.make_archive(str(bundle.parent / "again"), "zip", bundle.parent, bundle.name))
    with open_bundle(again) as opened:
        opened.check_hashes()
        assert opened.folder.name == bundle.name
    assert list(room.iterdir()) == []
