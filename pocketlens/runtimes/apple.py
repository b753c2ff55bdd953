"""Imports coremltools, which takes two to five seconds, only when asked, and without its noise."""

import contextlib
import gc
import io
import logging
import sys
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
    """Leave out two things that coremltools does after each of its hundred passes, and which take half of a conversion.

    A program is checked after dead code was removed, and at the end. What depends on compressed weights is traced only
    where there are any. Neither changes the program.
    """
    from coremltools.converters.mil.mil import Block, Program

    check, trace = Program.validate, Block._propagate_nonreplaceable_vars

    def validate(program: Any, check_essential_scope: bool | None = False) -> None:
        if check_essential_scope:
            check(program, check_essential_scope=True)

    def propagate(block: Any) -> None:
        if any(op.blocks or op.op_type.startswith("constexpr_") for op in block.operations):
            trace(block)

    Program.validate, Block._propagate_nonreplaceable_vars = validate, propagate
    try:
        yield
    finally:
        Program.validate, Block._propagate_nonreplaceable_vars = check, trace


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """Let coremltools collect its own garbage at the end of a conversion, but not look through every object of the
    process, which takes 0.4 s.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _instead_of(name: str, module: ModuleType | None) -> Iterator[None]:
    """Let imports find another module under a name that is not imported yet, or with None nothing."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = module  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def coremltools() -> ModuleType:
    """The module ``coremltools``; the first call imports it.

    Raises:
        MissingError: It is not installed.
    """
    require("coremltools", "build")
    # It imports transformers only to know whether its own tests can use it, and its tools for training only so that
    # they are there: 0.5 s of CPU time each.
    training = "coremltools.optimize.torch"
    with _no_warnings(), _instead_of("transformers", None), _instead_of(training, ModuleType(training)):
        import coremltools as module
    imported: ModuleType = module
    return imported
