"""MkDocs' hook: makes the reference pages from the sources, and the menu of folders from their files.

A page that is made here stands in no commit: ``commands/``, ``manifest.md``, ``measurement.md``. In a page that is
written by hand the comment ``<!-- generated: NAME -->`` is replaced by what :data:`PARTS` makes.
"""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # mkdocs loads hooks by path

from docs.generators import commands, documents, live, phones, recipe, schemas, tables  # noqa: E402

PARTS = {
    "action-inputs": tables.action_inputs,
    "exit-codes": commands.exit_codes,
    "floors": tables.floors,
    "options": tables.options,
    "precisions": tables.precisions,
    "phone-errors": phones.errors,
    "phone-networks": phones.networks,
    "presets": tables.presets,
    "recipe": recipe.keys,
    "schemas": schemas.versions,
    "target-fields": tables.target_fields,
    "targets": tables.targets,
}
_PART = re.compile(r"<!-- generated: ([a-z-]+) -->")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def pages() -> dict[str, str]:
    """The pages that are made from the sources: path in the site to Markdown."""
    return {**commands.pages(), **documents.pages()}


def expand(markdown: str) -> str:
    """A page with what its comments ask for."""
    return _PART.sub(lambda asked: PARTS[asked[1]](), markdown)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write the entries of folders into the menu: ``Title: folder/`` becomes every page of it, the index first."""
    assert config.nav is not None
    config.nav = [_entry(entry) for entry in config.nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    for path, made in live.files().items():
        text, source = (made, None) if isinstance(made, str) else (None, str(made))
        files.append(File.generated(config, path, content=text, abs_src_path=source))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the parts that are made."""
    return expand(markdown)


def _entry(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    ((title, value),) = entry.items()
    if isinstance(value, list):
        return {title: [_entry(inner) for inner in value]}
    if isinstance(value, str) and value.endswith("/"):
        return {title: _folder(value)}
    return entry


def _folder(folder: str) -> list[Any]:
    made = {path: text for path, text in pages().items() if path.startswith(folder)}
    written = {
        path.relative_to(ROOT / "docs").as_posix(): path.read_text() for path in (ROOT / "docs" / folder).glob("*.md")
    }
    everything = {**written, **made}
    index = f"{folder}index.md"
    others = sorted(path for path in everything if path != index)
    return [index, *({_title(everything[path]): path} for path in others)]


def _title(text: str) -> str:
    found = _TITLE.search(text)
    assert found is not None, "a page needs a title: # Title"
    return found[1].replace("`", "").removeprefix("pocketlens ")
