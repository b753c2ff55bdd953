"""The texts of a bundle that are made from templates: its README and the code to paste into an app."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pocketlens.bundle.choose import PREFERENCE, by_preference, playable
from pocketlens.bundle.manifest import Artifact, Golden, Manifest
from pocketlens.runtimes.adapter import RUNTIMES

LITERT_ANDROID = "com.google.ai.edge.litert:litert:1.4.2"
"""The Maven package of the Kotlin snippet: the line of LiteRT whose API is the Interpreter; it needs Android 5 (API 21)."""


def class_name(name: str) -> str:
    """A filter's name as Kotlin and Swift write classes.

    Example:
        >>> class_name("la_muse"), class_name("8-bit look")
        ('LaMuseFilter', 'The8BitLookFilter')
    """
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return f"{'The' if joined[:1].isdigit() else ''}{joined}Filter"


def notice(manifest: Manifest) -> str:
    """Who must be named: for the filter and for the golden pictures."""
    about = manifest.filter
    lines = [f"{about.name} {about.version}", f"License: {about.license}", *about.attribution, ""]
    lines.append("The pictures in golden/in_*.png:")
    lines += [f"{golden.picture}: {golden.source} ({golden.license})" for golden in manifest.golden]
    return "\n".join(lines) + "\n"


def texts(manifest: Manifest) -> dict[str, str]:
    """README.md and snippets/: path in the bundle to text. A target that the bundle lacks has no snippet."""
    environment = Environment(
        loader=PackageLoader("pocketlens.bundle"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # code and Markdown, not HTML
    )
    environment.filters["megabytes"] = lambda size: f"{size / 1e6:.2f}"
    common: dict[str, Any] = {
        "filter": manifest.filter,
        "io": manifest.io,
        "class_name": class_name(manifest.filter.name),
        "litert_android": LITERT_ANDROID,
    }
    made = {}
    for name, template, target in _snippets(manifest):
        artifact = _artifact(manifest, target)
        if artifact is not None:
            here = {"artifact": artifact, "golden": _golden(manifest, artifact), "install": _install(manifest)}
            made[name] = environment.get_template(template).render(common, **here)
    listed = {"manifest": manifest, "snippets": sorted(made)}
    made["README.md"] = environment.get_template("README.md.jinja").render(common, **listed)
    return made


def _snippets(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Path in the bundle, template, and the target that it needs; empty if any will do."""
    name = class_name(manifest.filter.name)
    return [
        (f"snippets/android/{name}.kt", "filter.kt.jinja", "tflite"),
        (f"snippets/ios/{name}.swift", "filter.swift.jinja", "coreml"),
        ("snippets/python/with_pocketlens.py", "with_pocketlens.py.jinja", ""),
        ("snippets/python/with_onnxruntime.py", "with_onnxruntime.py.jinja", "onnx"),
    ]


def _artifact(manifest: Manifest, target: str) -> Artifact | None:
    """The artifact that a snippet is about: the best of its target that has the axes and numbers the code writes."""
    layouts = {"tflite": "NHWC", "onnx": "NCHW"}
    for artifact in by_preference(manifest, manifest.artifacts):
        layout = layouts.get(target)
        known = layout is None or (artifact.layout == layout and artifact.dtype in ("float32", "uint8"))
        if not target or (artifact.target == target and known):
            return artifact
    return None


def _install(manifest: Manifest) -> str:
    """What to install to play the bundle on any machine."""
    able = {runtime for artifact in manifest.artifacts for runtime in playable(artifact)}
    return next((RUNTIMES[r].install for r in PREFERENCE if r in able and not RUNTIMES[r].platform), "see README.md")


def _golden(manifest: Manifest, artifact: Artifact) -> Golden:
    size = (artifact.height, artifact.width)
    return next(golden for golden in manifest.golden if (golden.height, golden.width) == size)
