"""Generators from the user's own code: ``my_package.my_file:make`` and ``path/to/file.py:make``.

This runs the code that the user names, as ``python -m`` would. It is the one place where Pocketlens does so.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pocketlens.errors import InputError


def make(source: str, folder: Path) -> nn.Module:
    """Import the user's code and call its factory.

    Args:
        source: ``module:factory`` or ``file.py:factory``. The factory has no arguments and returns an ``nn.Module``; a
            class will do.
        folder: What a relative path starts from; modules are also looked for there and in the current folder.

    Raises:
        InputError: The code cannot be found or raises; the message carries its error.
    """
    _, module = _import(source, folder, call=True)
    if not isinstance(module, nn.Module):
        raise InputError(f"{source} gave a {type(module).__name__}, expected an nn.Module", do="return the generator")
    return module


def load_function(source: str, folder: Path) -> Callable[..., Any]:
    """Import a function of the user's own code, without calling it; see :func:`make`."""
    return _import(source, folder, call=False)[0]


def _import(source: str, folder: Path, *, call: bool) -> tuple[Callable[..., Any], Any]:
    """The function, and what it returned if it was called."""
    where, _, name = source.rpartition(":")
    if not where or not name.isidentifier():
        raise InputError(
            f"{source!r} is not module:name or file.py:name",
            do="for instance: my_package.my_file:make, or my_file.py:make",
        )
    is_file = where.endswith(".py")
    path = folder / where
    if is_file and not path.is_file():
        raise InputError(f"{path} does not exist", do=f"check {source!r}")
    with _importable(path.parent if is_file else folder, Path.cwd()):
        try:
            code = _import_file(path) if is_file else importlib.import_module(where)
            factory = getattr(code, name, None)
            result = factory() if call and callable(factory) else None
        # The user's code may raise anything; the user sees its message, without a traceback of ours.
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{source} raised {type(error).__name__}: {error}", do="run it alone and mend it"
            ) from error
    if not callable(factory):
        raise InputError(f"{where} has no function {name!r}", do="check the name after the colon")
    return factory, result


def _import_file(path: Path) -> ModuleType:
    # A name of its own, so that a file called like an installed package does not replace it.
    name = f"pocketlens_source_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _importable(*folders: Path) -> Iterator[None]:
    """Let imports find these folders, first of all, for as long as the block runs."""
    before = list(sys.path)
    sys.path[:0] = [str(folder.resolve()) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before
