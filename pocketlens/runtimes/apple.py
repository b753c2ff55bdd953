"""Imports coremltools, which takes two to five seconds, only when asked, and without its noise."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pocketlens.errors import require


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Suppress two warnings: that Core ML is absent (it is, outside macOS), and which torch coremltools was tested
    with.

    It holds within the block only; log records of level ERROR and exceptions pass through.
    """
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Also suppress the four progress bars that a conversion draws on stderr; coremltools has no option for it.

    Not around the import: what torch finds as stderr when it is imported, it keeps.
    """
    with _no_warnings(), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def checked_seldom() -> Iterator[None]:
    """Let coremltools check a program after it has removed dead code, and at the end, but not after each of its
    hundred passes, which takes a quarter of a conversion. The check changes nothing.
    """
    from coremltools.converters.mil.mil import Program

    check = Program.validate

    def validate(program: Any, check_essential_scope: bool | None = False) -> None:
        if check_essential_scope:
            check(program, check_essential_scope=True)

    Program.validate = validate
    try:
        yield
    finally:
        Program.validate = check


def coremltools() -> ModuleType:
    """The module ``coremltools``; the first call imports it.

    Raises:
        MissingError: It is not installed.
    """
    require("coremltools", "build")
    with _no_warnings():
        import coremltools as module
    imported: ModuleType = module
    return imported
