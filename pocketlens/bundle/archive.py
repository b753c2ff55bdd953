"""Unpacks a bundle's zip. No entry is trusted: all are checked before the first one is written."""

import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path

from pocketlens.bundle import paths
from pocketlens.errors import InputError

MAX_ENTRIES = 2_000
MAX_BYTES = 2_000_000_000
"""Largest total size of the unpacked files, in bytes."""
MAX_RATIO = 100
"""How many times its packed size an entry may have. Weights and pictures hardly shrink, and our own entries are
stored.
"""
_SMALL = 1_000_000
"""Entries up to this size, in bytes, may grow by more than MAX_RATIO: 2,000 of them stay below MAX_BYTES."""
_CHUNK = 1 << 20
_REMAKE = "get the bundle again, and only from someone you trust"


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip into an empty folder.

    Raises:
        InputError: The file is no zip or is damaged; or an entry would leave the folder, is a link, is encrypted, has
            the name of another entry (also where a system ignores case), or grows too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not _is_folder(entry)]
            _check(path, archive.infolist())
            left = MAX_BYTES
            for entry in entries:
                left -= _extract(archive, entry, folder / entry.filename, min(left, entry.file_size))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is not a readable zip: {error}", do="get the file again") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be unpacked: {error.strerror or error}",
            do="free some space, or set TMPDIR to another folder",
        ) from error


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.endswith("/")


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    _expect(len(entries) <= MAX_ENTRIES, path, f"it holds {len(entries):,} entries, more than {MAX_ENTRIES:,}")
    total = sum(entry.file_size for entry in entries)
    _expect(total <= MAX_BYTES, path, f"it unpacks to {total:,} bytes, more than {MAX_BYTES:,}")
    for entry in entries:
        _check_entry(path, entry)
    names: set[str] = set()
    for name in (_folded(entry.filename) for entry in entries if not _is_folder(entry)):
        _expect(name not in names, path, f"{name!r} is the name of two entries")
        names.add(name)
    for name in (_folded(entry.filename) for entry in entries):
        folders = {name[:i] for i, letter in enumerate(name) if letter == "/"}
        _expect(not folders & names, path, f"{name!r} lies inside a file")


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    # orig_filename: zipfile cuts names at a NUL, other programs do not.
    problem = paths.problem(name.removesuffix("/")) or paths.problem(entry.orig_filename.removesuffix("/"))
    _expect(not problem, path, f"the entry {name[:80]!r} cannot be used: {problem}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    _expect(kind in (0, stat.S_IFDIR if _is_folder(entry) else stat.S_IFREG), path, f"{name!r} is a link or a device")
    _expect(not entry.flag_bits & 0x2041, path, f"{name!r} is encrypted")
    plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    _expect(plain, path, f"{name!r} is compressed with method {entry.compress_type}, expected stored or deflated")
    modest = entry.file_size <= max(_SMALL, MAX_RATIO * entry.compress_size)
    _expect(modest, path, f"{name!r} grows from {entry.compress_size:,} to {entry.file_size:,} bytes")


def _folded(name: str) -> str:
    """The name for a system that ignores case and composes accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(entry) as packed, target.open("xb") as file:
        # The bytes that are really read count: the size in the entry is only what the zip's writer claims.
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise InputError(f"{entry.filename!r} is larger than its entry says", do=_REMAKE)
            file.write(chunk)
    return written


def _expect(holds: bool, path: Path, what: str) -> None:
    if not holds:
        raise InputError(f"{path} is refused: {what}", do=_REMAKE)
