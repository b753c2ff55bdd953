"""Runs a program on torch, one operation after the other, as the package declares it.

Every value that is declared fp16 is computed in fp32 and rounded to fp16, so the result is that of ideal fp16 hardware;
the accumulators of real hardware may lose more. Every shape is compared with the declared one.
"""

from collections import Counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.runtimes.mil.program import Operation, Output, Program
from pocketlens.runtimes.mil.rules import RULES, Inputs
from pocketlens.runtimes.mil.values import Constant, Type

_FAULTS = (RuntimeError, ValueError, KeyError, IndexError, TypeError, ArithmeticError, MemoryError)
"""The exceptions of torch and Python where an operation's inputs do not fit together."""


def _loaded(constant: Constant) -> Any:
    if not isinstance(constant, np.ndarray):
        return constant
    wide = np.float32 if constant.dtype.kind == "f" else bool if constant.dtype.kind == "b" else np.int64
    return torch.from_numpy(np.array(constant, wide))


def as_declared(value: torch.Tensor, declared: Type) -> torch.Tensor:
    """Round or convert a value to the type that it is declared to have.

    Raises:
        ValueError: It has another shape.
    """
    fits = len(value.shape) == len(declared.shape) and all(
        want is None or have == want for have, want in zip(value.shape, declared.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"its shape is {list(value.shape)}, declared is {list(declared.shape)}")
    if declared.kind == "FLOAT16":
        return value.half().float()
    if declared.kind.startswith("FLOAT"):
        return value.float()
    return value.bool() if declared.kind == "BOOL" else value.long()


class Interpreter:
    """A program that is ready to run."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._constants = {name: _loaded(constant) for name, constant in program.constants.items()}
        self._reads = Counter(n for op in program.operations for names in op.arguments.values() for n in names)
        self._reads.update(program.results)

    def run(self, image: NDArray[np.float32], *others: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for an input, unrounded; ``others`` in the program's order.

        Raises:
            InputError: An operation cannot be computed, or its output has another shape than declared; the message
                names it.
        """
        inputs = zip((self._program.image, *self._program.others), (image, *others), strict=True)
        values: dict[str, Any] = {
            declared_input.name: _checked_input(declared_input, array) for declared_input, array in inputs
        }
        reads_left = Counter(self._reads)
        with torch.no_grad():
            for op in self._program.operations:
                for output, value in zip(op.outputs, self._step(op, values), strict=True):
                    values[output.name] = value
                for names in op.arguments.values():
                    for name in names:
                        reads_left[name] -= 1
                        if not reads_left[name]:
                            values.pop(name, None)
        for name in self._program.results:
            if name not in values:
                raise InputError(f"nothing computes the output {name!r}", do="build the package again")
        return [np.asarray(values[name].numpy(), np.float32) for name in self._program.results]

    def _step(self, op: Operation, values_so_far: dict[str, Any]) -> list[torch.Tensor]:
        try:
            bound = {
                parameter: [values_so_far[name] if name in values_so_far else self._constants[name] for name in names]
                for parameter, names in op.arguments.items()
            }
            result = RULES[op.kind](Inputs(bound))
            values = list(result) if isinstance(result, tuple | list) else [result]
            return [as_declared(value, output.type) for value, output in _pairs(values, op.outputs)]
        except _FAULTS as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"{op} cannot be computed: {first}", do="build the package again") from error


def _pairs(values: list[torch.Tensor], outputs: tuple[Output, ...]) -> list[tuple[torch.Tensor, Output]]:
    if len(values) != len(outputs):
        raise ValueError(f"it has {len(values)} outputs, declared are {len(outputs)}")
    return list(zip(values, outputs, strict=True))


def _checked_input(declared_input: Output, array: NDArray[np.float32]) -> torch.Tensor:
    try:
        return as_declared(torch.from_numpy(array), declared_input.type)
    except ValueError as error:
        raise InputError(
            f"{declared_input.name!r} does not fit: {error}", do="give it in the package's size"
        ) from error
