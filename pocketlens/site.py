"""Where the documentation is. Messages give addresses of its pages, because no wheel holds the sources' ``docs/``."""

SITE = "https://pocketlens.readthedocs.io/en/latest/"


def page(name: str) -> str:
    """The address of a page.

    Args:
        name: Its file in ``docs/``, without ``.md``.

    Example:
        >>> page("recipe")
        'https://pocketlens.readthedocs.io/en/latest/recipe/'
    """
    return f"{SITE}{name}/"
