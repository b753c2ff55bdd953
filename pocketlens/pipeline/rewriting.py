"""Which rewrites a target gets."""

from collections.abc import Sequence
from typing import Literal

from pocketlens.errors import InputError
from pocketlens.targets import TARGETS

Mode = Literal["none", "safe", "auto"]
Choice = Mode | Sequence[str]
"""``none``: the graph as it was cleaned. ``safe``: those that are faster wherever they were measured, a set a target.
``auto``: those that are faster here, measured. Or these, by their names, on every target."""
MODES: tuple[str, ...] = ("none", "safe", "auto")


def parse(text: str) -> Choice:
    """A choice as the command line takes it: a mode, or names with commas between.

    Raises:
        InputError: There is no such rewrite.

    Example:
        >>> parse("safe")
        'safe'
        >>> parse("keep-packed, pack-thin-conv")
        ('pack-thin-conv', 'keep-packed')
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    return check(words[0] if len(words) == 1 and words[0] in MODES else words)


def check(choice: Choice) -> Choice:
    """A choice whose names are in the order in which they run.

    Raises:
        InputError: There is no such rewrite.
    """
    from pocketlens.converters.rewrites import registry

    if isinstance(choice, str):
        if choice in MODES:
            return choice
        choice = [choice]
    if not choice:
        raise InputError("no rewrite is named", do=f"choose from {', '.join(MODES)}, {', '.join(registry.REWRITES)}")
    try:
        return registry.ordered(choice)
    except InputError as error:
        raise InputError(error.what, do=f"choose from {', '.join(MODES)}, {', '.join(registry.REWRITES)}") from error


def names_for(choice: Choice, target: str) -> tuple[str, ...]:
    """The rewrites that a target gets without measuring, in the order in which they run; ``auto`` is ``safe`` here.

    Raises:
        InputError: There is no such rewrite or target.
    """
    if target not in TARGETS:
        raise InputError(f"there is no target {target!r}", do=f"choose from {', '.join(TARGETS)}")
    choice = check(choice)
    if isinstance(choice, str):
        return () if choice == "none" else TARGETS[target].rewrites
    return tuple(choice)
