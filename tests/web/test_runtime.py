"""The runtime's files that this package carries."""

import gzip
import re
from pathlib import Path

import pytest

from pocketlens.errors import InputError
from pocketlens.web.runtime import FOLDER, write_runtime


def test_the_files_need_nothing_else() -> None:
    script = (FOLDER / "litert.js").read_text("utf-8")
    assert re.findall(r'^import .* from "(.*)"', script, re.MULTILINE) == ["./wasm-utils.js"]
    assert not re.search(r"sourceMappingURL|https?://[^\s\"']*(cdn|unpkg|jsdelivr)", script)
    for build in ("threaded", "compat"):
        wasm = gzip.decompress((FOLDER / f"litert_wasm_{build}_internal.wasm.gz").read_bytes())
        assert wasm[:4] == b"\0asm"


def test_the_licences_are_there() -> None:
    text = (FOLDER / "LICENSES.txt").read_text("utf-8")
    names = ("LiteRT", "Apache License", "XNNPACK", "Redistributions in binary form", "Emscripten", "Eigen", "cpuinfo")
    assert all(name in text for name in names)


def test_another_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "core.tgz").write_bytes(b"another version")
    with pytest.raises(InputError, match=r"core\.tgz is not @litertjs/core [\s\S]*npm pack"):
        write_runtime(tmp_path / "core.tgz", tmp_path / "utils.tgz", tmp_path / "out")
    assert not (tmp_path / "out").exists()
