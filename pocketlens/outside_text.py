"""Text from outside on its way to somewhere: a terminal, a line of a plain file, Markdown, HTML.

Names, licences and descriptions come out of files that somebody else wrote. A character of them can steer a terminal,
turn the reading direction of what follows, begin a heading or close a tag. There is one function for each destination,
and whatever came from outside goes through it.
"""

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # what terminals obey, ESC among it
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the reading direction
    "\u00ad\u200b\u2060-\u2064\ufeff\ufff9-\ufffb"  # what nobody sees
    "\u2028\u2029"  # line ends of their own
    "\ud800-\udfff"  # halves of a character, which no encoding holds
    "\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_LEADING = re.compile(r"^([-+=]|\d+(?=[.)]))")


def for_terminal(text: str) -> str:
    """Text without the characters that steer a terminal or hide; each becomes a question mark. Lines stay.

    Example:
        >>> for_terminal("\\x1b[31mred \\u202egnp.exe")
        '?[31mred ?gnp.exe'
    """
    return _STEERING.sub("?", text)


def for_line(text: str) -> str:
    """Text as a part of one line of a plain file: it neither ends the line nor steers.

    Example:
        >>> for_line("Ann\\nLicense: MIT")
        'Ann License: MIT'
    """
    return for_terminal(" ".join(text.split()))


def for_markdown(text: str) -> str:
    """Text as a part of a line of Markdown: no heading, link, emphasis, table cell or HTML begins in it.

    Example:
        >>> print(for_markdown("# <b>new</b> [x](y)"))
        \\# \\<b\\>new\\</b\\> \\[x\\](y)
        >>> for_markdown("A portrait filter.")
        'A portrait filter.'
    """
    line = _MARKDOWN.sub(r"\\\1", for_line(text))
    return _LEADING.sub(lambda mark: f"\\{mark[0]}" if not mark[0].isdigit() else f"{mark[0]}\\", line)


def for_html(value: object) -> object:
    """What a template is about to escape and print: text loses what steers; markup and numbers stay as they are.

    Example:
        >>> for_html("a\\u202eb"), for_html(3)
        ('a?b', 3)
    """
    return for_terminal(value) if type(value) is str else value
