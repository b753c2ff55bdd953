"""What comes out of files is text on a page, never a part of it."""

from pathlib import Path

import jinja2
import pytest

from pocketlens.html_pages import html_template


def test_what_files_say_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "a.html.jinja").write_text("<p>{{ name }}</p>{% include 'b.html.jinja' %}")
    (tmp_path / "b.html.jinja").write_text("<i>{{ name }}</i>")
    page = html_template(tmp_path / "a.html.jinja").render(name="<script>\x1b[1m\u202e")
    assert page.count("&lt;script&gt;") == 2
    assert not {"\x1b", "\u202e"} & set(page)


def test_a_name_that_nobody_gave_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.html.jinja").write_text("{{ name }}")
    with pytest.raises(jinja2.UndefinedError):
        html_template(tmp_path / "a.html.jinja").render()
