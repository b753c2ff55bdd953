"""Text from outside: nothing of it acts where it arrives."""

import dataclasses
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.bundle import render
from pocketlens.bundle.manifest import parse
from pocketlens.cli import output
from pocketlens.outside_text import for_html, for_line, for_markdown, for_terminal

STEERING = [0x1B, 0x07, 0x9B, 0x7F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200F, 0xFEFF, 0xD800]
HOSTILE = "\x1b]0;EVIL\x07<script>alert(1)</script>\n\n# heading\n[x](javascript:alert(1)) | `a` *b* \u202egnp"


@given(st.text(st.characters(), max_size=50), st.sampled_from(STEERING))
def test_no_function_lets_a_steering_character_through(text: str, code: int) -> None:
    for function in (for_terminal, for_line, for_markdown, for_html):
        assert chr(code) not in str(function(text + chr(code) + text))


@given(st.text(max_size=60))
def test_a_line_stays_a_line(text: str) -> None:
    assert len(for_line(text).splitlines()) <= 1 and len(for_markdown(text).splitlines()) <= 1


def test_readable_text_of_any_language_stays() -> None:
    text = "Porträtfilter, 似顔絵, קריקטורה, कार्टून 👩‍🎨 (v1.2-beta)"
    assert for_terminal(text) == for_line(text) == for_markdown(text) == text


def test_notice_and_readme_of_a_hostile_filter() -> None:
    good = parse((Path(__file__).parent / "attacks/manifest.json").read_text())
    about = dataclasses.replace(
        good.filter, description=HOSTILE, attribution=("Ann\nLicense: MIT", HOSTILE), license=f"LicenseRef-{HOSTILE}"
    )
    hostile = dataclasses.replace(good, filter=about)
    notice = render.notice(hostile)
    assert len(notice.splitlines()) == len(render.notice(good).splitlines()) + 2 - len(good.filter.attribution)
    readme = render.texts(hostile)["README.md"]
    assert "\x1b" not in notice + readme and "\u202e" not in notice + readme
    assert "\n# heading" not in readme and "[x](" not in readme.replace("\\[x\\](", "")
    assert "<script>" not in readme.replace("\\<script\\>", "")


def test_a_progress_bar_prints_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress() as show:
        show("name\x1b]0;EVIL\x07[bold]x[/red].png", 1, 2)
    assert "\x1b]0;" not in terminal.getvalue() and "[bold]x[/red]" in terminal.getvalue()


def test_tables_print_markup_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["a[/x]", "b"], [["x[/y]z", "\x1b[2J1"]], title="[bold]t[/red]\u202e")
    printed = "".join(capsys.readouterr().out.split())  # a title is broken to the table's width
    assert all(text in printed for text in ("a[/x]", "x[/y]z", "?[2J1", "[bold]t[/red]?"))
