"""Plays a TFLite file in a real browser, by the page itself: ``index.html?check`` writes what came out as JSON."""

import base64
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens import images
from pocketlens.images import Floats, Picture
from pocketlens.web import chromium, runtime
from pocketlens.web.folder import WebArtifact, WebFilter, WebGolden, write_folder
from pocketlens.web.serve import serve

_SECONDS = 180.0
"""WebGPU on a processor takes a second for a frame, and compiles for a minute."""


@dataclass(frozen=True, eq=False)
class BrowserResult:
    """What one backend of the browser made of one file.

    Attributes:
        backend: ``"threads"``, ``"compat"`` or ``"webgpu"``.
        artifact: Its id.
        outputs: A picture for each golden one, ``float32 [H, W, 3]`` as the file gives it, not rounded; empty where it
            was refused.
        refused: Why nothing was played, or empty.
        whole: Whether the backend's fast path computes every layer.
        threads: That computed.
        ms: Of the network alone, the last golden picture.
        adapter: What WebGPU computes on, or empty.
    """

    backend: str
    artifact: str
    outputs: tuple[Floats, ...] = ()
    refused: str = ""
    whole: bool = False
    threads: int = 1
    ms: float = 0.0
    adapter: str = ""


def check_folder(folder: Path, kind: str) -> list[BrowserResult]:
    """Open a page's folder in headless Chromium and play every golden picture in every file.

    Args:
        folder: As :func:`pocketlens.web.folder.write_folder` writes it.
        kind: ``"wasm"`` for both builds, or a backend.

    Raises:
        MissingError: Chromium is not installed.
        BrowserError: It ended, hung, or the page has an error.
    """
    flags = chromium.WEBGPU if kind == "webgpu" else ()
    with serve(folder) as address, chromium.start(flags) as browser:
        page = browser.page()
        page.open(f"{address}index.html?check={kind}")
        told = json.loads(page.wait("document.getElementById('check')?.textContent", _SECONDS))
    if "error" in told:
        raise chromium.BrowserError(f"the page says: {told['error']}", do="open it with ?check in a browser")
    size = json.loads((folder / "filter.json").read_text("utf-8"))["size"]
    return [_result(entry, size, told["adapter"]) for entry in told["results"]]


def _result(entry: dict[str, Any], size: Sequence[int], adapter: str) -> BrowserResult:
    if "refused" in entry:
        return BrowserResult(entry["backend"], entry["artifact"], refused=entry["refused"])
    return BrowserResult(
        entry["backend"],
        entry["artifact"],
        tuple(_pixels(golden["floats"], size) for golden in entry["golden"]),
        whole=entry["whole"],
        threads=entry["threads"],
        ms=entry["golden"][-1]["ms"] if entry["golden"] else 0.0,
        adapter=adapter if entry["backend"] == "webgpu" else "",
    )


def _pixels(rgba: str, size: Sequence[int]) -> Floats:
    pixels = np.frombuffer(base64.b64decode(rgba), np.float32).reshape(*size, 4)
    return np.ascontiguousarray(pixels[..., :3])


def play_file(
    path: Path, picture: Picture | None, weights: Sequence[float] | None = None, *, backend: str
) -> BrowserResult:
    """Play one TFLite file on one backend.

    Args:
        path: The file.
        picture: ``uint8 [H, W, 3]`` of its size, or None to load it only.
        weights: Of a pack, how much of each style.
        backend: As in :class:`BrowserResult`.

    Raises:
        MissingError: Chromium is not installed.
        BrowserError: It ended or hung.
    """
    with tempfile.TemporaryDirectory(prefix="pocketlens-web-") as temporary:
        golden, size = [], (0, 0)
        if picture is not None:
            file = Path(temporary) / "picture.png"
            file.write_bytes(images.png(picture))
            golden, size = [WebGolden(file, file, weights=tuple(weights or ()))], picture.shape[:2]
        artifact = WebArtifact(path.stem, path, "", 0.0)
        about = WebFilter(path.stem, "", "", size, (), [artifact], [path.stem], [path.stem], golden, "")
        folder = Path(temporary) / "web"
        write_folder(about, folder)
        return check_folder(folder, backend)[0]


@lru_cache
def version() -> str:
    """The runtime and the browser, with versions."""
    told = subprocess.run([chromium.find(), "--version"], capture_output=True, text=True, timeout=60, check=False)
    return f"{runtime.NAME}, {' '.join(told.stdout.split()[:2])}"
