"""Emits Core ML: an ML Program ``.mlpackage`` for iOS 16 and up, image in and image out."""

import tempfile
from pathlib import Path

import onnx_ir as ir

from pocketlens.converters.coreml.compress import pipeline
from pocketlens.converters.coreml.package import label, write
from pocketlens.converters.coreml.program import build, refusals, rounds
from pocketlens.converters.coreml.registry import MAX_RANK, TABLE
from pocketlens.converters.emitter import Labels, LoweredOperators
from pocketlens.errors import UnsupportedError
from pocketlens.files import whole
from pocketlens.runtimes import apple
from pocketlens.targets import TARGETS

SUFFIX = ".mlpackage"
_OPERATORS_SUMMARY = (
    f"computes with floats of 1 to {MAX_RANK} axes (Reshape and Transpose also with {MAX_RANK + 1}, the first of length 1). The"
    " first input is always there. What is tried here is the package, in our interpreter; Apple's own runtime runs on macOS only."
)

__all__ = ["SUFFIX", "emit", "lowered_operators", "refusals"]


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write the package; see :class:`pocketlens.converters.emitter.Emitter`.

    Raises:
        InputError: There is no such precision.
        UnsupportedError: A node cannot be lowered.
        MissingError: coremltools is not installed.
    """
    TARGETS["coreml"].precision(precision)
    if found := refusals(model):
        raise UnsupportedError("\n".join(str(refusal) for refusal in found), do="replace these operators in the model")
    ct = apple.coremltools()
    with tempfile.TemporaryDirectory() as home, apple.quiet():
        converted = ct.convert(
            build(model, precision),
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17 if rounds(model) else ct.target.iOS16,
            compute_precision=ct.precision.FLOAT32 if precision == "fp32" else ct.precision.FLOAT16,
            pass_pipeline=pipeline(model),
            package_dir=str(Path(home) / f"converted{SUFFIX}"),
            skip_model_load=True,
        )
        spec = converted.get_spec()
        label(spec, labels, precision)
        with whole(path) as part:
            write(spec, Path(converted.weights_dir) if converted.weights_dir else None, part)


def lowered_operators() -> LoweredOperators:
    """The operators that have a lowering, and what each asks for."""
    conditions = {operator: lowering.needs for operator, lowering in sorted(TABLE.items())}
    return LoweredOperators(conditions, _OPERATORS_SUMMARY, has_own_lowerings=True)
