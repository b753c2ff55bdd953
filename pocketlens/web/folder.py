"""Writes the page of a filter: a static folder that any host can serve, with everything that it needs."""

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketlens import files
from pocketlens.web import runtime

PAGE = Path(__file__).parent / "page"
NAME = "filter.json"
"""What a folder plays; ``page/chain.js`` reads it."""
_TEMPLATES = ("index.html", "app.webmanifest", "sw.js")
_SHELL = ("index.html", "app.webmanifest", "icon-192.png", "style.css", *(p.name for p in sorted(PAGE.glob("*.js"))))
"""What the service worker keeps at once. The runtime and the artifacts are kept when they are first fetched: each
browser needs only some of them."""
_CACHE = "pocketlens-"


@dataclass(frozen=True)
class WebArtifact:
    """A TFLite file that the page may play.

    Attributes:
        id: Its id in the bundle.
        file: Where it lies.
        precision: Of its weights.
        min_psnr: What its golden pictures must reach against the teacher's, in dB.
    """

    id: str
    file: Path
    precision: str
    min_psnr: float


@dataclass(frozen=True)
class WebGolden:
    """A golden picture: two PNG files of the filter's size; of a pack the style, or how much of each."""

    picture: Path
    expected: Path
    style: str = ""
    weights: tuple[float, ...] = ()

    @property
    def entry(self) -> dict[str, object]:
        """What :data:`NAME` holds of it."""
        paths = {"picture": f"golden/{self.picture.name}", "expected": f"golden/{self.expected.name}"}
        return {**paths, "style": self.style, **({"weights": list(self.weights)} if self.weights else {})}


@dataclass(frozen=True)
class WebFilter:
    """What a page shows and plays.

    Attributes:
        name: Of the filter.
        version: Of the filter.
        description: One sentence, or empty.
        size: Height and width in pixels.
        styles: Of a pack; empty where there is one.
        artifacts: At least one.
        webgpu: Ids of artifacts in the order in which they are tried on WebGPU.
        wasm: The same for WebAssembly.
        golden: The first one is shown before anything else; a page that is only checked needs none.
        licenses: The licence texts of the filter and of its pictures.
    """

    name: str
    version: str
    description: str
    size: tuple[int, int]
    styles: Sequence[str]
    artifacts: Sequence[WebArtifact]
    webgpu: Sequence[str]
    wasm: Sequence[str]
    golden: Sequence[WebGolden]
    licenses: str


def write_folder(about: WebFilter, folder: Path) -> None:
    """Write the page into a folder that does not exist yet; the same filter gives the same bytes."""
    for source in sorted(PAGE.iterdir()):
        if source.name not in _TEMPLATES:
            _copy(source, folder / source.name)
    for source in sorted(runtime.FOLDER.iterdir()):
        if source.suffix != ".txt":
            _copy(source, folder / "runtime" / source.name)
    for artifact in about.artifacts:
        _copy(artifact.file, folder / "artifacts" / artifact.file.name)
    for golden in about.golden:
        for picture in (golden.picture, golden.expected):
            _copy(picture, folder / "golden" / picture.name)
    licenses = (runtime.FOLDER / "LICENSES.txt").read_text("utf-8")
    _write(folder / "LICENSES.txt", f"{about.licenses.rstrip()}\n\n{'=' * 100}\n\n{licenses}")
    _write(folder / NAME, json.dumps(_filter(about), indent=1, ensure_ascii=False) + "\n")
    description = about.description or "A portrait filter that is computed in your browser."
    poster = about.golden[0].entry["expected"] if about.golden else ""
    texts = {"title": about.name, "description": description, "poster": str(poster)}
    _write(folder / "index.html", _render("index.html", {name: html.escape(text) for name, text in texts.items()}))
    quoted = {name: json.dumps(text, ensure_ascii=False)[1:-1] for name, text in texts.items()}
    _write(folder / "app.webmanifest", _render("app.webmanifest", quoted))
    # A browser takes up a new version when these bytes change, so they must depend on all others. The name keeps apart
    # the pages of different filters on one host.
    cache = f"{_CACHE}{hashlib.sha256(about.name.encode()).hexdigest()[:8]}-"
    version = cache + files.sha256(folder)[:16]
    shown = [about.golden[0].entry[key] for key in ("picture", "expected")] if about.golden else []
    shell = json.dumps(["./", *_SHELL, NAME, *shown])
    _write(folder / "sw.js", _render("sw.js", {"version": version, "shell": shell, "cache": cache}))


def _filter(about: WebFilter) -> dict[str, object]:
    return {
        "name": about.name,
        "version": about.version,
        "runtime": runtime.NAME,
        "size": list(about.size),
        "styles": list(about.styles),
        "artifacts": [
            {
                "id": artifact.id,
                "path": f"artifacts/{artifact.file.name}",
                "precision": artifact.precision,
                "bytes": artifact.file.stat().st_size,
                "sha256": files.sha256(artifact.file),
                "min_psnr": artifact.min_psnr,
            }
            for artifact in about.artifacts
        ],
        "play": {"webgpu": list(about.webgpu), "wasm": list(about.wasm)},
        "golden": [golden.entry for golden in about.golden],
    }


def _render(template: str, texts: Mapping[str, str]) -> str:
    text = (PAGE / template).read_text("utf-8")
    for name, value in texts.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    files.copy(source, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
