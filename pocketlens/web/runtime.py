"""LiteRT.js as the page needs it: its pinned files, and how they are made from the packages that npm has.

The files lie in ``runtime/`` beside this module and are part of this package: nothing is downloaded when a page is
written. ``python -m pocketlens.web.runtime CORE.tgz WASM_UTILS.tgz`` writes them again, for a new version. Both
packages come from ``npm pack @litertjs/core@VERSION @litertjs/wasm-utils@VERSION``.
"""

import base64
import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

from pocketlens import files
from pocketlens.errors import InputError

VERSION = "2.5.3"
NAME = f"LiteRT.js {VERSION}"
FOLDER = Path(__file__).parent / "runtime"
_BUILDS = ("threaded", "compat")
"""With threads, for isolated pages of browsers that have relaxed SIMD; and for all others."""
_INTEGRITY = {
    "core": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    "wasm-utils": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
}
"""SHA-512 of the packages, as npm's registry lists them."""
_IMPORT = b'from "@litertjs/wasm-utils"'


def write_runtime(core: Path, wasm_utils: Path, folder: Path = FOLDER) -> None:
    """Write the runtime's files from npm's packages; a licence text that is in the folder stays.

    Raises:
        InputError: A package is not the pinned one.
    """
    library, utils = _member(core, "core", "dist/index.js"), _member(wasm_utils, "wasm-utils", "dist/index.js")
    if library.count(_IMPORT) != 1:
        raise InputError(f"{core} imports @litertjs/wasm-utils in another way", do="look at its dist/index.js")
    # A worker knows no import maps: the import must name the file.
    contents = {"litert.js": library.replace(_IMPORT, b'from "./wasm-utils.js"'), "wasm-utils.js": utils}
    for build in _BUILDS:
        name = f"litert_wasm_{build}_internal"
        contents[f"{name}.js"] = _member(core, "core", f"wasm/{name}.js")
        contents[f"{name}.wasm.gz"] = gzip.compress(_member(core, "core", f"wasm/{name}.wasm"), 9, mtime=0)
    for name, data in contents.items():
        files.write(folder / name, _without_source_map(data) if name.endswith(".js") else data)


def _member(package: Path, name: str, member: str) -> bytes:
    data = package.read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != _INTEGRITY[name]:
        raise InputError(f"{package} is not @litertjs/{name} {VERSION}", do=f"npm pack @litertjs/{name}@{VERSION}")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        stream = archive.extractfile(f"package/{member}")
        assert stream is not None
        return stream.read()


def _without_source_map(script: bytes) -> bytes:
    lines = script.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL"))


if __name__ == "__main__":
    write_runtime(Path(sys.argv[1]), Path(sys.argv[2]))
