"""``pocketlens web``."""

from pathlib import Path
from typing import Annotated

from pocketlens.cli import command, options, output


@command("web wave.bundle -o site", "web wave.bundle -o site --json")
def web(
    bundle: options.Bundle,
    out: Annotated[Path, options.out("The folder of the page; a page that is there is replaced.")] = Path("web"),
    json: options.Json = False,
) -> None:
    """Write the page that plays a bundle in a browser: a static folder, for any host with HTTPS."""
    from pocketlens.bundle.web import write_web
    from pocketlens.files import bytes_of, files_under

    write_web(bundle, out)
    size, count = bytes_of(out), len(files_under(out))
    if json:
        output.document({"path": str(out), "files": count, "bytes": size})
    else:
        output.say(f"{out}: {count} files, {size / 1e6:.1f} MB; a browser fetches about half of it")
        output.say(f"here: python3 -m http.server -d {out}, then http://localhost:8000")
