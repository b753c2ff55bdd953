"""The page of a bundle: which of its files a browser plays, and in which order."""

from pathlib import Path

from pocketlens import files
from pocketlens.bundle.manifest import Artifact, Manifest
from pocketlens.bundle.read import open_bundle
from pocketlens.errors import InputError
from pocketlens.web.folder import NAME, WebArtifact, WebFilter, WebGolden, write_folder

FOLDER = "web"
"""Where the page lies in a bundle."""
_PLAYED = ".tflite"
"""The suffix of files that LiteRT.js plays."""
_WEBGPU = ("fp16", "fp32", "w8")
"""Precisions on WebGPU, best first. int8 is not among them: its bytes need another build of the runtime."""
_WASM = ("w8", "fp32", "fp16")
"""Precisions in WebAssembly, best first: all take the same time, and w8 is the smallest download. fp16 is last because
files of earlier versions are 14 times slower there. int8 is faster and less exact: it comes first where the recipe sets
a limit on the picture and int8 keeps it."""


def write_web(bundle: Path, output: Path) -> None:
    """Write the page of a bundle as a static folder. A page that is there is replaced.

    Args:
        bundle: A folder or a zip.
        output: The folder to write.

    Raises:
        InputError: The bundle is damaged or has no TFLite file that a browser plays, or ``output`` holds something
            else or cannot be written.
    """
    _check_place(output)
    with open_bundle(bundle) as opened:
        about = web_filter(opened.manifest, opened.folder)
        for name in (*(f"artifacts/{a.file.name}" for a in about.artifacts), *_pictures(about)):
            opened.check(name)
        with files.whole(output) as part:
            write_folder(about, part)


def _pictures(about: WebFilter) -> list[str]:
    return [f"golden/{path.name}" for golden in about.golden for path in (golden.picture, golden.expected)]


def _check_place(output: Path) -> None:
    taken = output.exists() and not (output.is_dir() and ((output / NAME).is_file() or not any(output.iterdir())))
    if taken:
        raise InputError(f"{output} is there and is no page: it is not replaced", do="choose another name")


def web_filter(manifest: Manifest, folder: Path) -> WebFilter:
    """What the page of a bundle plays: its TFLite files of the default size.

    Args:
        manifest: The bundle's; its ``files`` need not be complete.
        folder: Where the bundle's files lie.

    Raises:
        InputError: There is no such file, or no golden picture of its size.
    """
    size = manifest.io.sizes[0]
    fitting = [
        artifact
        for artifact in manifest.artifacts
        if artifact.path.endswith(_PLAYED) and (artifact.height, artifact.width) == size
    ]
    webgpu, wasm = _ordered(fitting, _WEBGPU), _ordered(fitting, _wasm(fitting))
    golden = [g for g in manifest.golden if (g.height, g.width) == size]
    if not wasm or not golden:
        raise InputError(
            f"{manifest.filter.name} has no TFLite file that a browser plays, or no golden picture of its size",
            do="add to [targets]: tflite = ['fp16', 'w8']",
        )
    about, io = manifest.filter, manifest.io
    if io.second or io.states or io.alpha or io.factor != 1:
        raise InputError(
            f"{about.name} has more than a picture in and one of its size out, which the page does not play",
            do="leave out [bundle] web",
        )
    return WebFilter(
        name=about.name,
        version=about.version,
        description=about.description,
        size=size,
        styles=manifest.io.styles,
        artifacts=[
            WebArtifact(a.id, folder / a.path, a.precision, a.golden_psnr) for a in fitting if a.id in webgpu + wasm
        ],
        webgpu=webgpu,
        wasm=wasm,
        golden=[WebGolden(folder / g.picture, folder / g.expected, g.style) for g in golden],
        licenses=_licenses(folder),
    )


def _wasm(artifacts: list[Artifact]) -> tuple[str, ...]:
    judged = any(a.precision == "int8" and a.gates and a.verdict == "pass" for a in artifacts)
    return ("int8", *_WASM) if judged else (*_WASM, "int8")


def _ordered(artifacts: list[Artifact], precisions: tuple[str, ...]) -> list[str]:
    """Ids, by precision; those that miss a gate last."""
    chosen = [a for a in artifacts if a.precision in precisions]
    return [a.id for a in sorted(chosen, key=lambda a: (a.verdict != "pass", precisions.index(a.precision)))]


def _licenses(folder: Path) -> str:
    """The bundle's licence texts as one, whom to name first."""
    paths = sorted(files.files_under(folder / "LICENSES"), key=lambda path: path.name != "NOTICE")
    return f"\n\n{'=' * 100}\n\n".join(path.read_text("utf-8", errors="replace").strip() for path in paths)
