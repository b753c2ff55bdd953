"""Files and folders that are either whole or not there: hashing, atomic writing, a content-addressed cache."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pocketlens.errors import InputError

_CHUNK = 1 << 20
_OLD = "replaced"
_WRAPPER, _LARGEST_WRAPPER = b"EPContext", 1 << 20
"""The operator that stands for a compiled part of a graph, and more bytes than a file of such operators has."""
_TURNS = 20
"""How often a folder is put in place again when other processes put theirs there at the same moment."""
MAX_DEPTH = 64
"""Deepest nesting of folders that is looked into: Python's own walks call themselves, and end at some 1,000."""
_CONTENT, _SEAL = "content", "sha256"
_CACHE = "free some space, or set POCKETLENS_CACHE to a folder that can be written to"


def regular(path: Path, do: str = "check the path") -> Path:
    """The path of a regular file, before anything opens it: a pipe would be waited for, a device read without end.

    Args:
        path: As a user or a document gives it; links are followed.
        do: What to tell the user to do when it is none.

    Raises:
        InputError: Nothing is there, or a folder, a pipe, a socket or a device, or its folder cannot be looked into.

    Example:
        >>> regular(Path("/dev/zero"))
        Traceback (most recent call last):
        pocketlens.errors.InputError: /dev/zero is a device, not a file
          do: check the path
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", do=do) from error
    except (OSError, ValueError) as error:  # a file where a folder is wanted, no permission, a loop, a NUL in the name
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", do=do) from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is {_kind(mode)}, not a file", do=do)
    return path


def own(path: Path) -> Path:
    """The path of a file that is kept from one run to the next: a regular file, or nothing yet.

    Its folder may be somebody else's: a link would let it change any file of this user, a pipe would be waited for.

    Raises:
        InputError: A link, a folder, a pipe or a device is there.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return path
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", do="choose another output folder") from error
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else _kind(mode)
        raise InputError(f"{path} is {what}, not a file", do="remove it, or choose another output folder")
    return path


def check_name(path: Path) -> None:
    """Refuse a path that is not UTF-8: runtimes and video libraries take no other.

    Raises:
        InputError: It is not.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the name {os.fsencode(path)!r} is not UTF-8", do="rename the file or folder") from error


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, or of a folder's sorted ``digest  relative/path`` lines, in hex.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "a").write_bytes(b"")
        >>> sha256(folder / "a")[:8]
        'e3b0c442'
    """
    digest = hashlib.sha256()
    if path.is_dir():
        for inner in files_under(path):
            digest.update(f"{sha256(inner)}  ".encode() + os.fsencode(inner.relative_to(path).as_posix()) + b"\n")
    else:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def key_of(**parts: Any) -> str:
    """A cache key: the SHA-256 of the parts as sorted JSON. Every part must be JSON data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def files_under(folder: Path) -> list[Path]:
    """Every regular file under a folder, sorted by its POSIX path; symbolic links are left out."""
    found = [p for p in entries_under(folder) if p.is_file() and not p.is_symlink()]
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def entries_under(folder: Path) -> list[Path]:
    """Everything under a folder but the folders themselves, links to folders included; no link is followed.

    Nothing lies under a folder that does not exist.

    Raises:
        InputError: Folders nest more than :data:`MAX_DEPTH` deep.
    """
    found: list[Path] = []
    level = [str(folder)] if folder.is_dir() else []
    for _ in range(MAX_DEPTH + 2):
        if not level:
            return found
        entries = [entry for inner in level for entry in os.scandir(inner)]
        level = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        found += [Path(entry.path) for entry in entries if not entry.is_dir(follow_symlinks=False)]
    raise InputError(f"{folder} holds folders more than {MAX_DEPTH} deep", do="get it again, from its maker")


def bytes_of(path: Path) -> int:
    """The size of a file, or of all files under a folder, in bytes."""
    return sum(p.stat().st_size for p in files_under(path)) if path.is_dir() else path.stat().st_size


def is_compiled(path: Path) -> bool:
    """Whether an ``.onnx`` file only wraps a binary for a chip, a file beside it: onnxruntime's ``EPContext``."""
    try:
        return (
            path.suffix == ".onnx"
            and path.is_file()
            and path.stat().st_size < _LARGEST_WRAPPER
            and _WRAPPER in path.read_bytes()
        )
    except OSError:
        return False


def artifact_files(path: Path) -> list[Path]:
    """The files or folders that make up an artifact: itself, and the ``.bin`` of an OpenVINO ``.xml`` or of an
    ``.onnx`` that is compiled for a chip.
    """
    return [path, path.with_suffix(".bin")] if path.suffix == ".xml" or is_compiled(path) else [path]


def artifact_bytes(path: Path) -> int:
    """The size of an artifact with everything that belongs to it, in bytes."""
    return sum(bytes_of(part) for part in artifact_files(path))


def remove(path: Path) -> None:
    """Delete a file or a folder; absent is fine."""
    import shutil  # here and below: an app that loads a bundle needs none of it

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Put back or delete what killed processes left beside ``path``."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.partial-*"):
        owner = left.name.removeprefix(f".{path.name}.partial-").split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            with contextlib.suppress(OSError):
                if not path.exists() and (left / _OLD).exists():
                    (left / _OLD).rename(path)
                remove(left)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder with everything in it; contents only, no times or permissions."""
    import shutil

    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)


def _never(path: Path) -> bool:
    return False


@contextlib.contextmanager
def whole(
    path: Path, *, keep: Callable[[Path], bool] = _never, do: str = "choose another output folder, or free some space"
) -> Iterator[Path]:
    """Write a file or a folder under a temporary name and rename it into place at the end.

    Args:
        path: Where it is to be. A device or a pipe is never replaced.
        keep: Asked at the end about what another process may have put there meanwhile; if it says yes, that stays.
        do: What to tell the user to do when it cannot be written.

    Yields:
        A path beside ``path`` that does not exist yet. If the block raises, or the process dies, ``path`` keeps what it
        held before.

    Raises:
        InputError: The folder cannot be written to or is full.
    """
    import shutil
    import tempfile

    path = path.absolute()
    try:
        if _special(path):
            raise InputError(f"cannot write {path}: it is a device or a pipe, not a file", do="choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        home = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-{os.getpid()}-", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error, do) from error
    part = home / path.name
    try:
        yield part
        _place(part, path, home, keep)
    except OSError as error:
        if not path.exists() and (home / _OLD).exists():
            (home / _OLD).rename(path)
        raise _unwritable(path, error, do) from error
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _special(path: Path) -> bool:
    """Whether it is a device or a pipe; asked once, since another process may replace it between two questions."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _place(part: Path, path: Path, home: Path, keep: Callable[[Path], bool]) -> None:
    for turn in range(_TURNS):
        if keep(path):
            return
        if part.is_dir() and path.is_dir():  # a folder cannot be renamed over a folder that is not empty
            remove(home / _OLD)
            with contextlib.suppress(FileNotFoundError):  # another process is replacing it just now
                path.rename(home / _OLD)
        try:
            part.replace(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or turn == _TURNS - 1:
                raise
        else:
            return


def _unwritable(path: Path, error: OSError, do: str) -> InputError:
    where = f" ({error.filename})" if error.filename and Path(error.filename).parent != path.parent else ""
    return InputError(f"cannot write {path}: {error.strerror or error}{where}", do=do)


def write(path: Path, data: bytes | str) -> None:
    """Write a file whole, or not at all."""
    with whole(path) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def cache_folder() -> Path:
    """Where results are kept: ``$POCKETLENS_CACHE``, else ``pocketlens`` in the user's cache folder.

    Raises:
        InputError: Nothing says where the user's folders are.
    """
    if chosen := os.environ.get("POCKETLENS_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pocketlens"
    except RuntimeError as error:
        raise InputError("this user has no home folder to keep results in", do=_CACHE) from error


def cached(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """A folder that holds what ``make`` writes, made once for each key, and again if it was damaged since.

    Args:
        kind: A word that groups entries, for instance ``"graph"``.
        key: From :func:`key_of`; everything that the result depends on must be in it.
        make: Called with an empty folder when the entry is not there yet. If it raises, nothing is kept.

    Raises:
        InputError: The cache cannot be written to.
    """
    entry = _entry(kind, key)
    if not _intact(entry):
        with whole(entry, keep=_intact, do=_CACHE) as part:
            content = part / _CONTENT
            content.mkdir(parents=True)
            make(content)
            (part / _SEAL).write_text(sha256(content))
    return entry / _CONTENT


def lookup(kind: str, key: str) -> Path | None:
    """The folder that :func:`cached` made for a key; None where there is none, or where it was damaged since.

    Example:
        >>> lookup("graph", key_of(nobody="made this")) is None
        True
    """
    entry = _entry(kind, key)
    return entry / _CONTENT if _intact(entry) else None


def _intact(entry: Path) -> bool:
    """Whether an entry is there and holds what was put into it: disks fill up, and cleaners delete single files."""
    try:
        return (entry / _SEAL).read_text() == sha256(entry / _CONTENT)
    except (OSError, UnicodeDecodeError):
        return False


def _entry(kind: str, key: str) -> Path:
    return cache_folder() / kind / key
