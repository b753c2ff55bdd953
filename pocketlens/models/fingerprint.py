"""A hash of what a torch module computes and how, for the cache: a module has no file that could be hashed."""

import ast
import hashlib
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from pocketlens import files
from pocketlens.models import checkpoint

_CLASS = re.compile(r"__torch__\.[\w.]+")
"""The name of a class in a traced graph: it has the path of the code, and the count of classes traced before."""


def fingerprint(module: nn.Module, size: tuple[int, int]) -> str:
    """A hash of a module's weights, structure, operators and code, and of its output for one picture of noise.

    The operators are in it because two ways to compute the same bits are two graphs, of which a target may take one.
    The code is in it because it may do something else with another picture or size, or tell an exporter what to write;
    the output because neither says what other libraries do. A module that cannot run at this size goes without an
    output; the export says why it cannot. Puts the module into eval mode.
    """
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    module.eval()
    try:
        with torch.no_grad():
            probe = hashlib.sha256(module(noise).to(torch.float32).contiguous().numpy().tobytes()).hexdigest()
    except Exception as error:  # noqa: BLE001 - the user's forward may raise anything, and the export reports it
        probe = type(error).__name__
    return files.key_of(
        kind="module", weights=checkpoint.digest(module), structure=str(module), size=list(size), probe=probe,
        operators=_operators(module, noise), code=_code(module),
    )  # fmt: skip


def _operators(module: nn.Module, noise: torch.Tensor) -> str:
    """A hash of the operators that are called for a picture, in order, with their constants; empty where they cannot be
    traced.
    """
    example: tuple[torch.Tensor, ...] = (noise,)
    if names := getattr(module, "styles", ()):
        example = (noise, torch.eye(len(names))[:1])
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that sizes become constants is what is wanted
            graph = torch.jit.trace(module, example, check_trace=False, strict=False).inlined_graph
    except Exception:  # noqa: BLE001 - as in fingerprint
        return ""
    digest = hashlib.sha256(_CLASS.sub("class", graph.str(print_source_ranges=False)).encode())
    for node in graph.findAllNodes("prim::Constant"):
        if node.hasAttribute("value") and node.kindOf("value") == "t":
            value = node.t("value").detach().cpu().contiguous().flatten()
            digest.update(str(value.dtype).encode() + value.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _code(module: nn.Module) -> list[str]:
    """Hashes of the user's code that can be reached from the module's classes: without comments and layout."""
    seen: dict[str, ModuleType] = {}
    waiting = [type(part).__module__ for part in module.modules()]
    while waiting:
        code = sys.modules.get(waiting.pop())
        if code is not None and code.__name__ not in seen and _is_users(code):
            seen[code.__name__] = code
            waiting += _used_by(code)
    return sorted(_digest(Path(str(code.__file__))) for code in seen.values())


def _is_users(code: ModuleType) -> bool:
    """Whether code is no library's: installed libraries, Pocketlens among them, have versions of their own."""
    path = Path(getattr(code, "__file__", None) or "")
    parts = path.parts
    library = "site-packages" in parts or "dist-packages" in parts or path.is_relative_to(Path(ast.__file__).parent)
    return path.suffix == ".py" and path.is_file() and not library and code.__name__.split(".")[0] != "pocketlens"


def _used_by(code: ModuleType) -> Iterator[str]:
    """The modules that a module's globals are or come from."""
    for value in tuple(vars(code).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _digest(path: Path) -> str:
    text = path.read_bytes()
    try:
        return hashlib.sha256(ast.dump(ast.parse(text)).encode()).hexdigest()
    except (SyntaxError, ValueError, RecursionError):  # it was edited since it was imported, or is very deep
        return hashlib.sha256(text).hexdigest()
