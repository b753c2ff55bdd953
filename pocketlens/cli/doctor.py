"""``pocketlens doctor``."""

from collections.abc import Sequence

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import MissingError

_NEEDS = (
    ("run", "numpy", ""),
    ("run", "pillow", ""),
    ("build", "torch", "build"),
    ("build", "onnx", "build"),
    ("build", "onnx-ir", "build"),
    ("build", "onnxscript", "build"),
    ("build", "flatbuffers", "build"),
    ("build", "coremltools", "build"),
    ("build", "safetensors", "build"),
    ("build", "pydantic", "build"),
    ("build", "scikit-image", "build"),
    ("build", "cyclonedx-python-lib", "build"),
    ("hugging face", "transformers", "hf"),
    ("hugging face", "optimum", "hf"),
    ("hugging face", "optimum-onnx", "hf"),
    ("report", "jinja2", "bench"),
    ("report", "matplotlib", "bench"),
)


@command("doctor", "doctor --json")
def doctor(json: options.Json = False) -> None:
    """What is installed, what is missing, and how to get it. Exit code 3 if nothing can play an artifact."""
    from pocketlens.accelerators import engine
    from pocketlens.placement import ACCELERATORS
    from pocketlens.runtimes.adapter import RUNTIMES

    rows = []
    for runtime in RUNTIMES.values():
        reason = runtime.missing()
        installed = _first_version(runtime.distributions)
        rows.append(("play", runtime.name, "" if reason else installed, reason, runtime.install if reason else ""))
    for accelerator in ACCELERATORS.values():
        if accelerator.executes:
            module = engine(accelerator.name)
            error = module.missing()
            version = "" if error else module.version()
            rows.append(
                ("accelerator", accelerator.name, version, error.what if error else "", error.do if error else "")
            )
    for purpose, library, extra in _NEEDS:
        installed = _first_version([library])
        get = "" if installed else f"pip install 'pocketlens[{extra}]'"
        rows.append((purpose, library, installed, "" if installed else "not installed", get))
    rows.append(_browser())
    playable = any(purpose == "play" and not reason for purpose, _, _, reason, _ in rows)
    if json:
        keys = ("purpose", "name", "version", "missing", "get")
        output.document({"checks": [dict(zip(keys, row, strict=True)) for row in rows], "playable": playable})
    else:
        shown = [
            [name, purpose, "no" if reason else "yes", installed or reason, get]
            for purpose, name, installed, reason, get in rows
        ]
        output.table(["name", "for", "here", "version", "how to get it"], shown)
    if not playable:
        raise typer.Exit(3)


def _browser() -> tuple[str, str, str, str, str]:
    """The browser that checks pages, as a row."""
    from pocketlens.web import chromium

    try:
        return "check pages", "chromium", chromium.find(), "", ""
    except MissingError as error:
        return "check pages", "chromium", "", "not installed", error.do


def _first_version(names: Sequence[str]) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
