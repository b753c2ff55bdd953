"""Templates of HTML pages: what comes out of files is escaped everywhere, in one place."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.errors import require
from pocketlens.outside_text import for_html

if TYPE_CHECKING:
    from jinja2 import Template


@functools.cache
def html_template(path: Path) -> "Template":
    """The template in a file; it may include others of its folder. Compiled once, which takes longer than to fill it.

    Raises:
        MissingError: jinja2 is not installed.
    """
    require("jinja2", "bench")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        finalize=for_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(path.name)
