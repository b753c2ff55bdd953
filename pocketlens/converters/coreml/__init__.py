"""The ``coreml`` target: an ML Program ``.mlpackage`` for iOS 16 and up, image in and image out.

The steps, one module each: ``lower`` walks the graph and lets the ``lowerings`` add operations to a ``builder``,
coremltools runs its passes and after them the one of ``weights``, ``metadata`` describes the model, and ``write`` lays
out the package.
"""

import tempfile
from pathlib import Path

import onnx_ir as ir

from pocketlens.converters.coreml.lower import lower_graph, quantizes_activations
from pocketlens.converters.coreml.lowerings import TABLE
from pocketlens.converters.coreml.metadata import describe
from pocketlens.converters.coreml.registry import MAX_RANK
from pocketlens.converters.coreml.weights import pass_pipeline
from pocketlens.converters.coreml.write import write
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.grid_sample import decompose_grid_samples
from pocketlens.converters.scalars import spread_scalars
from pocketlens.errors import UnsupportedError
from pocketlens.files import whole
from pocketlens.runtimes import apple
from pocketlens.targets import TARGETS

_TARGET = TARGETS["coreml"]
_OPERATORS_SUMMARY = (
    f"computes with floats of 1 to {MAX_RANK} axes (Reshape and Transpose also with {MAX_RANK + 1}, the first of"
    " length 1). The first input is always there. What is tried here is the package, in our interpreter; Apple's own"
    " runtime runs on macOS only."
)


def refusals(model: ir.Model) -> list[Refusal]:
    """Every node that Core ML cannot express, with its reason; coremltools is not needed to know."""
    return TABLE.refusals(spread_scalars(decompose_grid_samples(model)))


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write the package; see :class:`pocketlens.converters.emitter.Emitter`.

    Raises:
        InputError: There is no such precision.
        UnsupportedError: A node cannot be lowered.
        MissingError: coremltools is not installed.
    """
    _TARGET.precision(precision)
    model = spread_scalars(decompose_grid_samples(model))
    if refused := refusals(model):
        raise UnsupportedError(
            "\n".join(str(refusal) for refusal in refused), do="replace these operators in the model"
        )
    ct = apple.coremltools()
    with tempfile.TemporaryDirectory() as home, apple.quiet(), apple.checked_seldom(), apple.collected_seldom():
        converted = ct.convert(
            lower_graph(model, precision),
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17 if quantizes_activations(model) else ct.target.iOS16,
            compute_precision=ct.precision.FLOAT32 if precision == "fp32" else ct.precision.FLOAT16,
            pass_pipeline=pass_pipeline(model),
            package_dir=str(Path(home) / f"converted{_TARGET.suffix}"),
            skip_model_load=True,
        )
        spec = converted.get_spec()
        describe(spec, labels, precision)
        with whole(path) as part:
            write(spec, Path(converted.weights_dir) if converted.weights_dir else None, part)


def lowered_operators() -> LoweredOperators:
    """The operators that have a lowering, and what each asks of its nodes."""
    return LoweredOperators(TABLE.operators(), _OPERATORS_SUMMARY, has_own_lowerings=True)
