"""The documentation's site: it builds strictly, and what is generated is complete."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pocketlens.site import SITE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

needs_mkdocs = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings")),
    reason="the site's tools are missing: pip install 'pocketlens[docs]'",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` does: never with ``--quiet``, under which mkdocs finds no dead link at all."""
    assert "mkdocs build\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr
    return folder


def built(site: Path, page: str) -> str:
    """The HTML of a page, by its path without suffix."""
    return (site / page / "index.html").read_text(encoding="utf-8")


@needs_mkdocs
def test_every_command_has_a_page_with_all_its_options(site: Path) -> None:
    from docs.generators.commands import commands

    found = commands()
    assert {"build", "convert", "run", "bench", "verify"} <= set(found)
    for command in found.values():
        page = built(site, f"commands/{command.name}")
        for parameter in command.parameters:
            for flag in parameter.flags:
                assert f"<code>{flag}</code>" in page, f"{command.name}: {flag}"
            assert parameter.help, f"{command.name}: {parameter.flags} says nothing"
        assert "Exit codes" in page
        assert command.examples, f"{command.name} has no example"


@needs_mkdocs
def test_every_key_of_a_recipe_is_in_the_reference_and_says_what_it_means(site: Path) -> None:
    from docs.generators import jsonschema, recipe
    from pocketlens.placement import ACCELERATORS
    from pocketlens.targets import TARGETS

    made_from_a_table = {*TARGETS, *(accelerator.key for accelerator in ACCELERATORS.values())}
    page = built(site, "recipe")
    sections = recipe.sections()
    assert {"filter", "targets", "gate", "budget"} <= {name for name, _ in sections}
    for name, section in sections:
        _, texts = jsonschema.described(section["description"])
        for key in section["properties"]:
            assert f"<code>{key}</code>" in page, f"[{name}] {key}"
            assert texts.get(key) or key in made_from_a_table, f"[{name}] {key} says nothing"


@needs_mkdocs
def test_every_field_of_the_documents_is_in_the_reference(site: Path) -> None:
    from pydantic import TypeAdapter

    from pocketlens.bench.document import Document
    from pocketlens.bundle.schema import schema

    for page, document in (("manifest", schema()), ("measurement", TypeAdapter(Document).json_schema())):
        text = built(site, page)
        for part in (document, *document["$defs"].values()):
            for field in part.get("properties", {}):
                assert f"<code>{field}</code>" in text, f"{page}: {field}"


@needs_mkdocs
def test_nothing_is_fetched_from_another_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\bsrc=[\"']?(https?:)?//", text)
        loaded += re.findall(r"<link[^>]*rel=[\"']?(?:stylesheet|preconnect|icon)[\"']?[^>]*href=[\"']?https?://", text)
        assert not loaded, f"{page}: {loaded}"
        assert "api.github.com" not in text
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?://|@import", sheet.read_text(encoding="utf-8")), sheet


@needs_mkdocs
@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_into_the_site_are_alive(site: Path, file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for name, anchor in re.findall(rf"{re.escape(SITE)}([a-z0-9/-]*?)/?(?:#([a-z0-9-]+))?[)\s>]", text):
        page = built(site, name) if name else (site / "index.html").read_text(encoding="utf-8")
        assert not anchor or f'id="{anchor}"' in page, f"{file}: {name}#{anchor}"
    for name in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / name).exists(), f"{file}: {name}"


@needs_mkdocs
def test_no_part_that_should_be_generated_is_left(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert "generated:" not in page.read_text(encoding="utf-8"), page


@needs_mkdocs
def test_every_page_that_a_message_names_is_in_the_site(site: Path) -> None:
    named = {
        name
        for module in (ROOT / "pocketlens").rglob("*.py")
        for name in re.findall(r"\bpage\(\s*[\"']([a-z/#-]+)[\"']", module.read_text(encoding="utf-8"))
    }
    assert {"recipe", "operators"} <= named
    for name in named:
        assert built(site, name), name


def test_pictures_side_by_side_scroll_on_a_phone() -> None:
    """A line of small pictures is 130 pixels high there; a sheet says how many lines it has."""
    from pocketlens import images

    for page in sorted(DOCS.rglob("*.md")):
        for name, after in re.findall(r"^!\[[^\]]*\]\(([^)]+\.jpg)\)\n(.*)$", page.read_text("utf-8"), re.MULTILINE):
            height, width = images.read(page.parent / name).shape[:2]
            assert after.startswith("{ .strip"), f"{page.name}: {name}"
            lines = int(found[1]) if (found := re.search(r'style="--lines: (\d)"', after)) else 1
            assert 130 * lines * width / height >= 360, f"{page.name}: {name} is smaller than a phone's screen"


def test_every_decision_is_in_the_index_with_a_line() -> None:
    index = (DOCS / "decisions/index.md").read_text(encoding="utf-8")
    for page in sorted((DOCS / "decisions").glob("0*.md")):
        number = int(page.name[:4])
        assert re.search(rf"^\| \[{number}\]\({re.escape(page.name)}\) \| \S.+ \|$", index, re.MULTILINE), page.name
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. "), page.name
