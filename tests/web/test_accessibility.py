"""The pages under axe's rules, on a phone's viewport, light and dark."""

import os
import shutil
from pathlib import Path

import pytest

from pocketlens.web.chromium import Chromium, Page
from pocketlens.web.link import Link
from pocketlens.web.serve import serve
from tests.web.pages import move, opened, phone, text

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
LAB = Path(os.environ.get("POCKETLENS_LAB") or CACHE / "pocketlens/lab")
AXE = LAB / "axe.min.js"
RUN = """axe.run(document, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
}).then((told) => told.violations.map((one) => one.id + ' ' + one.nodes[0].html))"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("there is no axe: .ci/axe fetches it")
    return AXE.read_text("utf-8")


def broken(page: Page, axe: str) -> list[str]:
    """The rules that a page breaks in either colour scheme, and whether it is wider than the screen."""
    found = []
    page.evaluate(f"{axe}; undefined")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        found += [f"{scheme}: {rule}" for rule in page.evaluate(RUN)]
    width = page.evaluate("document.documentElement.scrollWidth")
    return [*found, *([f"{width} pixels wide"] if width > 360 else [])]


def test_the_page_of_a_pack(browser: Chromium, pack: Path, axe: str) -> None:
    with serve(pack) as address:
        page = opened(phone(browser), address)
        move(page, "split", 40)
        assert broken(page, axe) == []


def test_the_page_with_a_problem(browser: Chromium, axe: str, tmp_path: Path, bundle: Path) -> None:
    folder = shutil.copytree(bundle / "web", tmp_path / "web")
    (folder / "filter.json").unlink()
    with serve(Path(folder)) as address:
        page = opened(phone(browser), address)
        assert "filter.json" in text(page, "problem")
        assert broken(page, axe) == []


def test_the_page_that_measures(browser: Chromium, axe: str) -> None:
    link = Link()
    try:
        page = phone(browser)
        page.open(link.url)
        page.wait("Boolean(document.getElementById('status'))")
        assert broken(page, axe) == []
    finally:
        link.close()
