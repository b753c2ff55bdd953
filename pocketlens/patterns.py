"""Regular expressions that somebody else wrote: only those whose search ends soon, whatever they are searched in.

Python's matcher tries every way in which repetitions can share a text. One inside another, or many beside each other,
take longer than anybody waits. What is allowed here takes at most a power of three of the name's length.
"""

import re
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

MAX_LENGTH = 500
"""Longest expression, in characters."""
MAX_REPEATS, MAX_OPTIONS, MAX_COUNT = 3, 8, 100
"""Most ``*`` and ``+``, most ``?`` and other repetitions, and the highest count in ``{}``."""
SEARCHED = 200
"""How many characters of a name are searched, from its end: there names differ."""

_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_REFUSED = (codes.GROUPREF, codes.GROUPREF_EXISTS, codes.ASSERT, codes.ASSERT_NOT)


def problem(pattern: str) -> str:
    """What is wrong with an expression, in words; empty if it can be searched for.

    Example:
        >>> problem("conv[0-9]+.*weight$"), problem("(a+)+$")
        ('', 'a repetition stands inside another')
    """
    if len(pattern) > MAX_LENGTH:
        return f"it has {len(pattern):,} characters, at most {MAX_LENGTH}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what Python may read otherwise one day
            re.compile(pattern)
        repeats = list(_repeats(parser.parse(pattern)))
    except (re.error, OverflowError) as error:
        return str(error)
    except RecursionError:
        return "it is nested too deep"
    except ValueError as error:
        return str(error)
    if sum(most is codes.MAXREPEAT for _, most in repeats) > MAX_REPEATS:
        return f"it has more than {MAX_REPEATS} of * and +"
    if len(repeats) > MAX_OPTIONS:
        return f"it has more than {MAX_OPTIONS} repetitions"
    if any(least > MAX_COUNT or MAX_COUNT < most < codes.MAXREPEAT for least, most in repeats):
        return f"it counts beyond {MAX_COUNT}"
    return ""


def _repeats(parsed: Any, inside: bool = False) -> Iterator[tuple[int, Any]]:
    """The least and most of every repetition; ValueError where one stands inside another."""
    for operation, value in parsed:
        if operation in _REFUSED:
            raise ValueError("it looks around or back, which names need not")
        if operation in _REPEATS:
            least, most, item = value
            if inside:
                raise ValueError("a repetition stands inside another")
            yield least, most
            yield from _repeats(item, inside=most > 1)
        elif operation is codes.BRANCH:
            if inside:
                raise ValueError("a choice stands inside a repetition")
            for branch in value[1]:
                yield from _repeats(branch)
        elif operation is codes.SUBPATTERN:
            yield from _repeats(value[3], inside)
        elif operation is codes.ATOMIC_GROUP:
            yield from _repeats(value, inside)


@lru_cache(maxsize=100_000)
def is_in(pattern: str, name: str) -> bool:
    """Whether an expression is found in a name, of which the last :data:`SEARCHED` characters are looked at.

    Example:
        >>> is_in("^conv", "conv1.weight"), is_in("^conv", "norm.weight")
        (True, False)
    """
    return re.search(pattern, name[-SEARCHED:]) is not None
