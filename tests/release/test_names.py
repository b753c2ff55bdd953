"""What the wheel prints names no file that the wheel lacks, and every address that it gives is a page of the
documentation.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketlens.site import SITE, page

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pocketlens"
WRITE_DOCS = {PACKAGE / "converters" / "operators.py", PACKAGE / "converters" / "rewrites" / "page.py"}
"""What they hold is printed into ``docs/``, by those who have the sources."""
TARGETS = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text("utf-8"), flags=re.M)
ONLY_IN_SOURCES = re.compile(
    r"(?<![\w/.-])(?:action|benchmarks|changes|docs|lab|tests)/[\w.*-]+"
    r"|python -m (?:benchmarks|lab|tests)\b"
    rf"|(?<![\w-])make (?:{'|'.join(TARGETS)})(?![\w-])"
    r"|(?<![\w/.-])(?:CHANGELOG\.md|CONTRIBUTING\.md|RELEASE\.md|SECURITY\.md|Makefile|constraints\.txt|pyproject\.toml)"
)
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path not in WRITE_DOCS)


def _docstrings(tree: ast.AST) -> set[int]:
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def _printed(module: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that a user may see: docstrings only of commands, where typer prints them."""
    tree = ast.parse(module.read_text("utf-8"))
    docstrings = set() if PACKAGE / "cli" in module.parents else _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_no_message_names_a_file_that_only_the_sources_hold() -> None:
    named = [
        (f"{module.relative_to(ROOT)}:{line}", match[0])
        for module in MODULES
        for line, text in _printed(module)
        for match in ONLY_IN_SOURCES.finditer(text)
    ]
    assert named == []


def test_no_template_names_a_file_that_only_the_sources_hold() -> None:
    templates = sorted(PACKAGE.rglob("*.jinja"))
    assert templates
    assert [(path.name, match[0]) for path in templates for match in ONLY_IN_SOURCES.finditer(path.read_text())] == []


def test_every_address_in_a_message_is_a_page() -> None:
    calls = [
        node.args[0]
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "page"
    ]
    names = {argument.value for argument in calls if isinstance(argument, ast.Constant)}
    assert len(calls) >= len(names) > 0
    assert [name for name in names if not (ROOT / "docs" / f"{name}.md").is_file()] == []


def test_addresses_are_those_of_the_site() -> None:
    assert f"\nsite_url: {SITE}\n" in (ROOT / "mkdocs.yml").read_text("utf-8")
    assert page("recipe").startswith(SITE)


@pytest.mark.parametrize("text", ["see docs/recipe.md", "run make bench-rewrites", "python -m benchmarks.skin"])
def test_such_names_are_recognised(text: str) -> None:
    assert ONLY_IN_SOURCES.search(text)


@pytest.mark.parametrize("text", ["https://example.org/docs/recipe", "make width a multiple", "see README.md"])
def test_other_words_are_not(text: str) -> None:
    assert not ONLY_IN_SOURCES.search(text)
