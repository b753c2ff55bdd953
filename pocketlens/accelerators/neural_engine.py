"""Apple's Neural Engine, by published rules: which operations of a Core ML or Core AI program are said to leave it."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.accelerators import Answer, Request
from pocketlens.accelerators.rules import NEURAL_ENGINE, NEURAL_ENGINE_OF_CORE_AI, judge
from pocketlens.errors import MissingError
from pocketlens.placement import Placement
from pocketlens.runtimes import coreai_asset
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.mil import package
from pocketlens.runtimes.mil.program import Operation, Program
from pocketlens.runtimes.mil.program import read as read_program
from pocketlens.targets import TARGETS

NAME = "neural-engine"
_FREE = ("cast", "const", "identity")
"""Operations that convert and compute nothing."""
_MOST_AXES = 5


def missing() -> MissingError | None:
    """Why a program cannot be read here; None where it can."""
    if find_spec("coremltools") is None:
        return MissingError("coremltools is not installed", do="pip install 'pocketlens[build]'")
    return None


def version() -> str:
    """What judges."""
    return "published rules"


def place(request: Request) -> Answer:
    """Read the operations and judge them; nothing is executed.

    Raises:
        InputError: The package is damaged.
    """
    if request.path.suffix == TARGETS["coreai"].suffix:
        return _place_core_ai(request.path)
    program = read_program(package.read(request.path), lambda kind: True)
    operators = dict.fromkeys(name for op in program.operations for name in _names(op, program))
    return judge(NAME, NEURAL_ENGINE, list(operators))


def _names(operation: Operation, program: Program) -> list[str]:
    names = [operation.kind]
    dilations = [np.ravel(program.constants[n]) for n in operation.arguments.get("dilations", ())]
    if any((values != 1).any() for values in dilations):
        names.append(f"{operation.kind} (dilated)")
    if operation.kind not in _FREE and any(output.type.kind == "FLOAT32" for output in operation.outputs):
        names.append(f"{operation.kind} (float32)")
    return names


def _place_core_ai(path: Path) -> Answer:
    runtime = RUNTIMES["coreai"]
    if reason := runtime.missing():
        return Answer(Placement(NAME, "unchecked", reason=f"{reason}: {runtime.install}"))
    coreai_asset.check(path)
    from coreai.authoring import AIModelAsset

    try:
        # The public package has no name for the operations of a program.
        module = AIModelAsset.load(path).program._module._mlir_module
        names = dict.fromkeys(name for operation in _computed(module.operation) for name in _core_ai_names(operation))
    except RuntimeError as error:
        raise coreai_asset.damaged(path, str(error)) from error
    return judge(NAME, NEURAL_ENGINE_OF_CORE_AI, list(names))


def _computed(operation: Any) -> Iterator[Any]:
    """The operations of a program that compute, without those that only make arrays of pictures and back."""
    for region in operation.regions:
        for block in region.blocks:
            for inner in block.operations:
                entry = str(inner.attributes["sym_name"]).strip('"') if "sym_name" in inner.attributes else ""
                if entry not in ("main", coreai_asset.ARRAYS):
                    yield from _computed(inner)
                    yield inner


def _core_ai_names(operation: Any) -> list[str]:
    """``conv2d`` and, where its result has such a type, ``conv2d (float32)`` and ``conv2d (6 axes)``."""
    name = str(operation.operation.name).rsplit(".", 1)[-1]
    if name in ("graph", "output", "constant", *_FREE):
        return []
    names = [name]
    for result in operation.results:
        shape = str(result.type).removeprefix("tensor<").removesuffix(">").split("x")
        if shape[-1] == "f32":
            names.append(f"{name} (float32)")
        if len(shape) - 1 > _MOST_AXES:
            names.append(f"{name} (6 axes)")
    return names
