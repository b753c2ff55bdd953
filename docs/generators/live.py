"""The filters that ship, live: the page of the pack that holds all their styles, as ``live/`` of the site.

It takes a build, about half a minute, so it is made where ``POCKETLENS_DOCS_LIVE`` is set: by ``make docs`` and on Read
the Docs. Elsewhere a page that says so stands in its place.
"""

import atexit
import os
import tempfile
from pathlib import Path

ASKED = "POCKETLENS_DOCS_LIVE"
_INSTEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not built</title></head>
<body><main><h1>Not built</h1>
<p>This site was built without the live filters: <code>make docs</code> adds them.</p></main></body>
</html>
"""


def _folder() -> Path:
    """A folder that is there until mkdocs, which copies the files at its end, has ended."""
    folder = tempfile.TemporaryDirectory(prefix="pocketlens-live-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def files() -> dict[str, Path | str]:
    """Paths in the site to the files, or to the texts, that belong there."""
    if not os.environ.get(ASKED):
        return {"live/index.html": _INSTEAD}
    from pocketlens.bundle.web import write_web
    from pocketlens.models.zoo import builtin
    from pocketlens.pipeline.commands.build import build
    from pocketlens.recipe import Recipe, Targets

    folder = Path(_folder())
    shipped = Recipe.read(builtin("atelier").recipe)
    recipe = shipped.model_copy(update={"targets": Targets(tflite=("fp32", "fp16"))})
    built = build(recipe, folder / "atelier.bundle", bench=False)
    if built.verdict != "pass":
        raise SystemExit("docs: the live filters miss a gate of their recipe")
    write_web(built.path, folder / "live")
    return {path.relative_to(folder).as_posix(): path for path in (folder / "live").rglob("*") if path.is_file()}
