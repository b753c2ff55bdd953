"""The page of rewrites is written from the registry."""

from pocketlens.converters.rewrites import page, registry


def test_the_page_is_up_to_date() -> None:
    assert page.PAGE.read_text() == page.page(), "make rewrites"


def test_every_rewrite_has_its_line() -> None:
    assert all(f"| `{name}` |" in page.page() for name in registry.REWRITES)
