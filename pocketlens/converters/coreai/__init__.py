"""The ``coreai`` target: an ``.aimodel`` for iOS 27 and up, pictures in and out, and arrays by a second entry point.

The steps, one module each: ``lower`` walks the graph and lets the ``lowerings`` add operations to a ``builder``, which
stores constants by ``constants`` and low-bit weights by ``weights``, and ``write`` lays out the folder.
"""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from pocketlens.converters.coreai.lower import lower_graph
from pocketlens.converters.coreai.lowerings import TABLE
from pocketlens.converters.coreai.write import write
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.scalars import spread_scalars
from pocketlens.errors import UnsupportedError, require
from pocketlens.files import whole
from pocketlens.targets import TARGETS

_TARGET = TARGETS["coreai"]
_OPERATORS_SUMMARY = (
    "computes with floats and booleans of 1 axis or more. The first input is always there. Files are played by Apple's"
    " own runtime on its generic CPU machine; its GPU and its Neural Engine are in Apple's devices only."
)


def refusals(model: ir.Model) -> list[Refusal]:
    """Every node that Core AI cannot express, with its reason; coreai-core is not needed to know."""
    return TABLE.refusals(spread_scalars(model))


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write the folder; see :class:`pocketlens.converters.emitter.Emitter`.

    ``fp32`` computes in float32, every other precision in float16, with the statistics of norms in float32.

    Raises:
        InputError: There is no such precision.
        UnsupportedError: A node cannot be lowered.
        MissingError: coreai-core is not installed.
    """
    _TARGET.precision(precision)
    model = spread_scalars(model)
    if refused := refusals(model):
        raise UnsupportedError(
            "\n".join(str(refusal) for refusal in refused), do="replace these operators in the model"
        )
    require("coreai", "coreai")
    program = lower_graph(model, np.float32 if precision == "fp32" else np.float16)
    with whole(path) as part:
        write(program, labels, precision, part)


def lowered_operators() -> LoweredOperators:
    """The operators that have a lowering, and what each asks of its nodes."""
    return LoweredOperators(TABLE.operators(), _OPERATORS_SUMMARY, has_own_lowerings=True)
