"""Docstrings as Markdown, for mkdocstrings: Sphinx's roles (``:class:`Session```) become plain code, examples become
code.
"""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([^`]+)`")


_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
"""griffe knows the section under its plural alone."""


class PlainRoles(griffe.Extension):
    """Rewrites every docstring."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub("Examples:", _ROLE.sub(r"`\1`", obj.docstring.value))
