"""Which rewrites a target gets."""

from collections.abc import Sequence
from typing import Literal

from pocketlens.errors import InputError
from pocketlens.targets import target_named

Mode = Literal["none", "safe", "auto"]
RewriteSelection = Mode | Sequence[str]
"""``none``: the graph as it was cleaned. ``safe``: those that are faster wherever they were measured, a set a target.
``auto``: those that are faster here, measured. Or these, by their names, on every target."""
MODES: tuple[str, ...] = ("none", "safe", "auto")


def parse(text: str) -> RewriteSelection:
    """A selection as the command line takes it: a mode, or names with commas between.

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


def check(selection: RewriteSelection) -> RewriteSelection:
    """A selection whose names are in the order in which they run.

    Raises:
        InputError: There is no such rewrite.
    """
    from pocketlens.converters.rewrites import registry

    if isinstance(selection, str):
        if selection in MODES:
            return selection
        selection = [selection]
    if not selection:
        raise InputError("no rewrite is named", do=f"choose from {', '.join(MODES)}, {', '.join(registry.REWRITES)}")
    try:
        return registry.in_order(selection)
    except InputError as error:
        raise InputError(error.what, do=f"choose from {', '.join(MODES)}, {', '.join(registry.REWRITES)}") from error


def names_for(selection: RewriteSelection, target: str) -> tuple[str, ...]:
    """The rewrites that a target gets without measuring, in the order in which they run; ``auto`` is ``safe`` here.

    Raises:
        InputError: There is no such rewrite or target.
    """
    rewrites = target_named(target).rewrites
    selection = check(selection)
    if isinstance(selection, str):
        return () if selection == "none" else rewrites
    return tuple(selection)
