"""Names of files inside a bundle: relative, with forward slashes, and never a way out of it."""

import re

_DRIVE_OR_STREAM = ":"
_MAX_PART, _MAX_PARTS = 200, 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HALF = re.compile(r"[\ud800-\udfff]")


def problem(name: str) -> str:
    """Why a name may not be used inside a bundle, or an empty string.

    The rules are those of the strictest system on which a bundle may be unpacked.

    Example:
        >>> problem("artifacts/onnx-fp32-64x64.onnx")
        ''
        >>> problem("../secret")
        "it holds '..'"
    """
    if not name:
        return "it is empty"
    if _CONTROL.search(name):
        return "it holds a control character"
    if _HALF.search(name):
        return "it holds half a character"
    if "\\" in name:
        return "it holds a backslash"
    if name.startswith("/"):
        return "it is absolute"
    if _DRIVE_OR_STREAM in name:
        return "it holds a colon"
    parts = name.split("/")
    if len(parts) > _MAX_PARTS:
        return f"it has more than {_MAX_PARTS} parts"
    for part in parts:
        if part in ("", ".", ".."):
            return f"it holds {part!r}" if part else "it holds an empty part"
        if len(part.encode()) > _MAX_PART:
            return f"a part of it is longer than {_MAX_PART} bytes"
        if part[-1] in ". ":
            return "a part of it ends in a dot or a space"
    return ""
