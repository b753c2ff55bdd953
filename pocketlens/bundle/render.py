"""The texts of a bundle that are rendered from templates: its README, and code to paste into an app."""

import functools
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pocketlens.bundle.choose import by_preference, playable
from pocketlens.bundle.manifest import Artifact, Golden, Manifest, suffixes_beside
from pocketlens.chips import Chip
from pocketlens.outside_text import for_line, for_markdown
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS

_WITH_POCKETLENS = ("snippets/python/with_pocketlens.py", "with_pocketlens.py.jinja")
"""The snippet that every bundle holds."""


def class_name(name: str) -> str:
    """A filter's name as Kotlin and Swift write classes.

    Example:
        >>> class_name("la_muse"), class_name("8-bit look")
        ('LaMuseFilter', 'The8BitLookFilter')
    """
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return f"{'The' if joined[:1].isdigit() else ''}{joined}Filter"


def chip_of(artifact: Artifact) -> Chip | None:
    """The chip that an artifact is compiled for; None where it is for any."""
    target = TARGETS.get(artifact.target)
    return next((chip for chip in target.chips if artifact.id.endswith(f"-{chip.name}")), None) if target else None


def notice(manifest: Manifest) -> str:
    """The text of ``LICENSES/NOTICE``: whom to name for the filter and for the golden pictures, and what the licences
    of compilers say of their files.
    """
    about = manifest.filter
    lines = [f"{about.name} {about.version}", f"License: {about.license}", *about.attribution]
    lines = [*map(for_line, lines), ""]
    lines.append("The pictures in golden/in_*.png:")
    lines += [for_line(f"{golden.picture}: {golden.source} ({golden.license})") for golden in manifest.golden]
    for name in dict.fromkeys(artifact.target for artifact in manifest.artifacts):
        if name in TARGETS and TARGETS[name].notice:
            lines += ["", TARGETS[name].notice]
    return "\n".join(lines) + "\n"


@functools.cache
def _environment() -> Environment:
    """With the templates that were compiled, which takes longer than to fill them."""
    environment = Environment(
        loader=PackageLoader("pocketlens.bundle"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # code and Markdown, not HTML
    )
    environment.filters["megabytes"] = lambda size: f"{size / 1e6:.2f}"
    environment.filters["markdown"] = for_markdown
    environment.filters["suffixes_beside"] = suffixes_beside
    environment.filters["chip"] = chip_of
    return environment


def texts(manifest: Manifest, *, web: bool = False) -> dict[str, str]:
    """``README.md`` and the snippets of the targets that the bundle has: path in the bundle to text.

    Args:
        manifest: The bundle's.
        web: Whether the bundle holds the page for browsers.
    """
    environment = _environment()
    common: dict[str, Any] = {
        "filter": manifest.filter,
        "io": manifest.io,
        "class_name": class_name(manifest.filter.name),
    }
    rendered = {}
    for path, template, artifact in _snippets(manifest):
        own = {"manifest": manifest, "artifact": artifact, "golden": _golden(manifest, artifact)}
        own["install"] = _install(manifest)
        rendered[path] = environment.get_template(template).render(common, **own)
    about = {"manifest": manifest, "snippets": sorted(rendered), "caveats": _caveats(manifest), "web": web}
    rendered["origin.xmp"] = manifest.filter.origin.xmp()
    rendered["README.md"] = environment.get_template("README.md.jinja").render(common, **about)
    return rendered


def _snippets(manifest: Manifest) -> list[tuple[str, str, Artifact]]:
    """Path in the bundle, template, and the artifact that the code plays: the best, or the best of the snippet's
    target.
    """
    ordered = by_preference(manifest, manifest.artifacts)
    snippets = [(*_WITH_POCKETLENS, ordered[0])]
    for target in TARGETS.values():
        best = next((artifact for artifact in ordered if artifact.target == target.name), None)
        snippets += [(snippet.path, snippet.template, best) for snippet in target.snippets if best]
    name = class_name(manifest.filter.name)
    return [(path.format(class_name=name), template, artifact) for path, template, artifact in snippets]


def _caveats(manifest: Manifest) -> list[str]:
    """The caveats of the runtimes that verified the artifacts, each once."""
    verifiers = [artifact.verified_with.runtime for artifact in manifest.artifacts]
    caveats = [RUNTIMES[name].caveat for name in verifiers if name in RUNTIMES]
    return [caveat for caveat in dict.fromkeys(caveats) if caveat]


def _install(manifest: Manifest) -> str:
    """The command that installs a runtime which plays the bundle on any system."""
    runtimes = {runtime for artifact in manifest.artifacts for runtime in playable(artifact)}
    anywhere = (runtime for name, runtime in RUNTIMES.items() if name in runtimes and not runtime.platform)
    return next((runtime.install for runtime in anywhere), "see README.md")


def _golden(manifest: Manifest, artifact: Artifact) -> Golden:
    size = (artifact.height, artifact.width)
    return next(golden for golden in manifest.golden if (golden.height, golden.width) == size)
