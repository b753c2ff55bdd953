"""How long work says how far it is: one signature, which commands turn into a progress bar."""

from typing import Protocol


class Progress(Protocol):
    """Told what is being done, how many steps are done, and how many there are."""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """Take note: ``what`` is one short line for people, ``done`` of ``total`` steps are behind it."""


def silent(what: str, done: int, total: int, /) -> None:
    """The :class:`Progress` that tells nobody."""
