"""SPDX licence expressions: whether they are well formed, and whether they allow commercial use."""

import difflib
import functools
from typing import Any

from pocketlens.errors import InputError, require

UNKNOWN = ("unknown", "NOASSERTION")
"""Licences of filters whose licence nobody knows; they are no SPDX expressions, and bundles state them unchanged."""
_FREE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0",
        "CC-BY-SA-4.0", "CC0-1.0", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC",
        "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "AGPL-3.0-only",
        "AGPL-3.0-or-later", "MIT", "MIT-0", "MPL-2.0", "PDDL-1.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""Licences whose text allows commercial use, under conditions of their own."""


def check(expression: str) -> str:
    """An SPDX expression in its normal spelling; ``LicenseRef-…`` and the words in :data:`UNKNOWN` stay unchanged.

    Example:
        >>> check("mit or apache-2.0")
        'MIT OR Apache-2.0'

    Raises:
        InputError: It is no SPDX expression; the message names the nearest licence.
        MissingError: license-expression is not installed.
    """
    if expression in UNKNOWN:
        return expression
    return str(_parse(expression))


def commercial_use(expression: str) -> bool | None:
    """Whether the licence allows commercial use, or None where the expression does not tell.

    Example:
        >>> commercial_use("CC-BY-NC-4.0"), commercial_use("MIT OR CC-BY-NC-4.0"), commercial_use("LicenseRef-mine")
        (False, True, None)

    Raises:
        InputError: It is no SPDX expression.
    """
    return None if expression in UNKNOWN else _allows(_parse(expression))


@functools.cache
def _spdx() -> Any:
    """The list of licences, which takes longer to read than an expression."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _parse(expression: str) -> Any:
    require("license_expression", "build")
    from license_expression import ExpressionError, ExpressionParseError

    spdx = _spdx()
    try:
        parsed = spdx.parse(expression)
        wrong = [key for key in spdx.unknown_license_keys(expression) if not key.startswith("LicenseRef-")]
    except (ExpressionError, ExpressionParseError) as error:
        raise InputError(
            f"license is {expression!r}, which is no SPDX expression: {error}", do="write for instance 'MIT'"
        ) from error
    if parsed is None or wrong:
        close = difflib.get_close_matches(wrong[0].replace(" ", "-") if wrong else "", spdx.known_symbols, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"license is {expression!r}; SPDX has no licence {wrong[0] if wrong else expression!r}",
            do=f"{hint}See spdx.org/licenses, or write 'LicenseRef-' and a name for one of your own, or 'unknown'",
        )
    return parsed


def _allows(parsed: Any) -> bool | None:
    if hasattr(parsed, "operator"):
        parts: list[bool | None] = [_allows(part) for part in parsed.args]
        decisive: bool = (
            parsed.operator.strip() == "OR"
        )  # under OR one free alternative decides, under AND one that is not free
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    name = str(getattr(parsed, "license_symbol", parsed))
    if "-NC" in name.upper() or "NONCOMMERCIAL" in name.upper():
        return False
    return True if name in _FREE else None
