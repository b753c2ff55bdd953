"""What can be checked of the report pages without a browser; ``lab/pages.sh`` checks the rest with axe in Chromium."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise, product

import pytest

from pocketlens.bench.budget import judge_all
from pocketlens.bench.document import Document
from pocketlens.bench.report import DeviceReport, render
from pocketlens.bench.report_pictures import ReportPicture
from pocketlens.bundle.manifest import Manifest
from tests.bench.pages import SNAP, VOID

LEAST_CONTRAST = 4.5
"""For text of usual size, WCAG 2.2 level AA (1.4.3)."""
LEAST_GRAPHIC = 3.0
"""For lines and marks (1.4.11)."""
TEXT = ("ink", "muted", "accent", "limit", "pass", "fail", "unstable")


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0..1, as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """Between 1 and 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def palettes(page: str) -> list[dict[str, str]]:
    """The page's colours by name: light, dark."""
    colours = [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", part)) for part in re.findall(r":root \{([^}]*)\}", page)]
    assert len(colours) == 2
    return colours


class Elements(HTMLParser):
    """Every element with its attributes and those around it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self._open)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes, _ in self.found if tag in tags]


@pytest.fixture(scope="module", params=["one device", "three devices", "nothing measured"])
def page(request: pytest.FixtureRequest, manifest: Manifest, measured: Document, shown: list[ReportPicture]) -> str:
    if request.param == "nothing measured":
        return render(manifest, None, [], shown)
    verdicts = judge_all(measured, SNAP)
    if request.param == "one device":
        return render(manifest, measured, verdicts, shown, SNAP)
    phone = replace(measured, environment=replace(measured.environment, device="adb:x", emulated=True))
    others = [DeviceReport("adb:x", phone, verdicts), DeviceReport("ssh://pi", None, error="it cannot be reached")]
    return render(
        manifest, measured, verdicts, [replace(picture, where="litert on adb:x") for picture in shown], others=others
    )


def test_the_formula_of_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_colour_of_text_can_be_read_on_every_ground(page: str) -> None:
    for palette in palettes(page):
        for text, ground in product(TEXT, ("paper", "panel")):
            reached = contrast(palette[text], palette[ground])
            assert reached >= LEAST_CONTRAST, f"{text} {palette[text]} on {ground} {palette[ground]}: {reached:.2f}"
    used = set(re.findall(r"var\(--([a-z]+)\)", page))
    assert used <= {*TEXT, "paper", "panel", "line"}, "a colour that is not checked"
    style = page[page.index("<style>") : page.index("</style>")]
    outside = re.sub(r":root \{[^}]*\}", "", style)
    assert not re.findall(r"#[0-9a-f]{3,8}\b", outside), "colours come from the palette alone"


def test_marks_that_are_half_transparent_can_still_be_seen(page: str) -> None:
    weakest = min((float(opacity) for opacity in re.findall(r"stroke-opacity: ([\d.]+)", page)), default=1.0)
    for palette in palettes(page):
        pairs = zip(*(([int(palette[n][i : i + 2], 16) for i in (1, 3, 5)]) for n in ("accent", "paper")), strict=True)
        mixed = "#" + "".join(f"{round(weakest * a + (1 - weakest) * b):02x}" for a, b in pairs)
        assert contrast(mixed, palette["paper"]) >= LEAST_GRAPHIC, (weakest, mixed)


def test_the_page_tells_its_language_title_and_width(page: str) -> None:
    elements = Elements(page)
    assert elements.all("html")[0]["lang"] == "en"
    assert re.search(r"<title>[^<]{5,}</title>", page)
    (viewport,) = [meta["content"] for meta in elements.all("meta") if meta.get("name") == "viewport"]
    assert viewport is not None and "width=device-width" in viewport
    assert "maximum-scale" not in viewport and "user-scalable" not in viewport, "people must be able to enlarge it"
    assert len(elements.all("main")) == len(elements.all("h1")) == 1


def test_headings_skip_no_level(page: str) -> None:
    levels = [int(tag[1]) for tag, _, _ in Elements(page).found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_pictures_and_plots_have_words(page: str) -> None:
    elements = Elements(page)
    assert all(len(element.get("alt") or "") > 10 for element in elements.all("img"))
    for element in elements.all("svg"):
        assert element["role"] == "img" and len(element["aria-label"] or "") > 20


def test_tables_name_their_columns_and_rows(page: str) -> None:
    elements = Elements(page)
    tables = len(elements.all("table"))
    assert tables >= 1 and all(cell.get("scope") in ("col", "row") for cell in elements.all("th"))
    assert len(elements.all("thead")) == len(elements.all("tbody")) == tables


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(page: str) -> None:
    names = []
    for _, attributes, _ in Elements(page).found:
        if "scroll" in (attributes.get("class") or "").split():
            assert attributes["tabindex"] == "0" and attributes["role"] == "region"
            names.append(attributes["aria-label"])
    assert all(names) and len(set(names)) == len(names)


def test_verdicts_are_words_and_not_colours_alone(page: str) -> None:
    badges = re.findall(r'class="badge ([^"]*)"><span aria-hidden="true">[^<]+</span> ([a-z ]+)</span>', page)
    assert badges and all(kind == word.replace(" ", "-") for kind, word in badges)
    assert len(badges) == page.count('class="badge ')
