"""Which other files a runtime would open for an artifact. A file that nobody hashed must not decide about pixels.

An artifact is checked before a runtime sees it: what its format lets it name beside itself is read from its bytes, with
no library of that format, since apps and devices do not have them.
"""

import stat
from collections.abc import Callable
from pathlib import Path

from pocketlens.errors import InputError
from pocketlens.files import entries_under
from pocketlens.runtimes.data_files import onnx, tflite
from pocketlens.runtimes.data_files.head import Head

_REMAKE = "get the artifact again, from its maker"


def _openvino(path: Path) -> list[str]:
    """None: an IR names no file; its weights lie in the ``.bin`` of its own name."""
    head = Head.read(path)
    if not head.is_xml:
        # OpenVINO looks at the content, not at the name: it would read an ONNX file, and what that names beside itself.
        raise InputError(f"{path} is not an OpenVINO IR: it does not begin as XML", do=_REMAKE)
    return []


_READERS: dict[str, Callable[[Path], list[str]]] = {".onnx": onnx.names, ".tflite": tflite.names, ".xml": _openvino}


def data_files(path: Path) -> list[str]:
    """The names of the files that an artifact keeps values in, as it writes them, without repetition.

    An OpenVINO IR names none: its ``.bin`` is found by its own name.

    Args:
        path: The artifact. Its suffix tells the format.

    Raises:
        InputError: It is not of the format that its suffix tells, is damaged, or a folder holds a link or a device.
    """
    if path.is_dir():
        _check_folder(path)
        return []
    reader = _READERS.get(path.suffix)
    return sorted(set(reader(path))) if reader else []


def check(path: Path) -> None:
    """Check that the files that an artifact names are files of its own folder, and not reached through links.

    Raises:
        InputError: One is not; or as for :func:`data_files`.
    """
    for name in data_files(path):
        parts = name.replace("\\", "/").split("/")
        if not name or name.startswith(("/", "\\")) or ":" in parts[0] or {"..", ""} & set(parts):
            raise InputError(f"{path} keeps values in {name[:200]!r}, which is not inside its own folder", do=_REMAKE)
        inner = path.parent
        for part in parts:
            inner = inner / part
            if _kind(inner) == stat.S_IFLNK:
                raise InputError(f"{path} keeps values behind the link {inner}", do="put the file itself there")
        if _kind(inner) != stat.S_IFREG:
            raise InputError(f"{path} keeps values in {inner}, which is not a file", do="put the file beside it")


def _check_folder(folder: Path) -> None:
    for entry in entries_under(folder):
        if _kind(entry) != stat.S_IFREG:
            raise InputError(f"{folder} holds {entry.relative_to(folder)}, a link or a device", do=_REMAKE)


def _kind(path: Path) -> int:
    """The kind of what is at a path, as in ``stat.S_IFREG``, or 0 if nothing is; links are not followed."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except (OSError, ValueError):
        return 0
