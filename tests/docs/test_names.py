"""What the documentation names in the sources exists: files, modules to run, targets of make."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
ROOMS = tuple(
    sorted(
        folder.name
        for parent in (ROOT, ROOT / "pocketlens")
        for folder in parent.iterdir()
        if folder.is_dir() and folder.name[0] not in "._" and folder.name not in ("build", "dist", "demo")
    )
)


def spans(page: Path) -> list[str]:
    """What stands in backquotes, or in a block of code, on a page."""
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    return [*re.findall(r"`([^`\n]+)`", text), *lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_of_the_sources_exist(page: Path) -> None:
    for span in spans(page):
        if re.fullmatch(rf"(?:{'|'.join(ROOMS)})/[\w./{{}},-]*", span) and span.split("/")[-1] != "manifest.json":
            for path in _expanded(span.replace("NAME", "tflite")):
                found = any((parent / path).exists() for parent in (ROOT, ROOT / "pocketlens"))
                assert found or _in_a_bundle(path), f"{page.name}: {span}"


def _expanded(span: str) -> list[str]:
    """``a/{b,c}/`` as ``a/b/`` and ``a/c/``."""
    braces = re.search(r"\{([^}]*)\}", span)
    if braces is None:
        return [span]
    return [span[: braces.start()] + part + span[braces.end() :] for part in braces[1].split(",")]


def _in_a_bundle(path: str) -> bool:
    return path.startswith(("measurements/", "artifacts/", "golden/", "snippets/"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_modules_and_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for span in spans(page):
        for module in re.findall(r"python -m ((?:pocketlens|benchmarks|tests|lab)[\w.]*)", span):
            assert find_spec(module) is not None, f"{page.name}: {span}"
        if asked := re.match(r"make ([a-z][a-z0-9-]*)", span):
            assert asked[1] in targets, f"{page.name}: {span}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_dotted_names_exist(page: Path) -> None:
    from tests.docs.test_glossary import found

    for span in spans(page):
        if re.fullmatch(r"pocketlens(\.\w+)+(\(\))?", span):
            found(span.removesuffix("()"))
