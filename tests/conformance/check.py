"""The check: one case on one target, from the generator to the picture."""

import tempfile
from enum import Enum
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal, emitter
from pocketlens.converters.prepare import prepare
from pocketlens.converters.quantization.plan import default_plan, has_quantizers
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.pipeline.commands.inspect import refused
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.conformance.case import Case, picture, run

FLOOR = 90.0
"""dB in fp32: a mean error of 0.008 of 255, one part in 26,000 of the spread of a case's values.

Sums of some hundred terms in another order, and transforms such as Winograd's, stay above 105 dB; a wrong weight, a row
taken from its neighbour or a forgotten pad fall far below: one value of a picture of 32 x 32 that is off by 1 gives 83
dB.
"""

BYTES_FLOOR = 40.0
"""dB where the picture comes out in bytes and the arithmetic is in half precision: rounding to bytes alone gives 58.9,
and a case spreads its values over the picture up to twenty times."""

INTEGER_FLOOR = 38.0
"""dB in int8, against the graph with quantizers played exactly. Kernels may round a value to the next of 256 levels,
and a case spreads its values over the picture up to twenty times: one level is then 9 of 255, and 41 dB is the least
that cases of convolutions gave.
"""

RUNTIMES = {
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "tflite": "litert",
    "coreml": "mil",
    "coreai": "coreai",
    "qnn": "qnn",
}
"""Where each target's files are executed; Core ML's in the interpreter, on macOS as well."""

_GENERAL = (
    "only float32",
    "only its first output is known",
    "axes, and Core ML takes 1 to",
    "no axes, and Core AI takes",
)
"""Reasons that hold for every operator of a target."""


class Outcome(Enum):
    """What became of a case."""

    RAN = "ran"
    REFUSED = "refused"


class PreparedCase:
    """A case's generator, the picture that it is tried with, and what onnxruntime computes from it."""

    def __init__(self, case: Case) -> None:
        self.proto = case.model()
        onnx.checker.check_model(self.proto)
        self.size = tuple(d.dim_value for d in self.proto.graph.input[0].type.tensor_type.shape.dim)[2:]
        self.image = picture(*self.size)
        self.expected = np.asarray(run(self.proto, self.image)[0][0].transpose(1, 2, 0), np.float32)
        scale = next(a for a in self.proto.graph.initializer if a.name == "tail_scale")
        self.is_even = float(numpy_helper.to_array(scale)) > np.finfo(np.float16).max
        """Whether its values are all the same, so that in half precision or integers rounding alone would be seen."""
        assert self.expected.min() >= 0 and self.expected.max() <= 255, "the clamp would hide errors"

    @cached_property
    def graph(self) -> ir.Model:
        return prepare(ir.from_proto(self.proto), *self.size, Ranges())

    def graphs(self, target: str) -> list[ir.Model]:
        """The graph as it is, and where the target's rewrites change something, as they leave it."""
        changed = self.graph.clone()
        return [self.graph, changed] if registry.apply(changed, TARGETS[target].rewrites) else [self.graph]


_CACHE: dict[str, PreparedCase] = {}
"""The cases of one operator: every target is asked for the same ones."""


def prepared_case(case: Case) -> PreparedCase:
    """A case with its picture and what onnxruntime computes from it; the last ones are kept."""
    key = repr(case)
    if key not in _CACHE:
        if len(_CACHE) >= 512:
            _CACHE.clear()
        _CACHE[key] = PreparedCase(case)
    return _CACHE[key]


def check(case: Case, target: str) -> Outcome:
    """Convert and execute a case, and compare it with onnxruntime on the generator as it was written.

    Raises:
        AssertionError: It computes something else, or fails after it was not refused.
    """
    prepared = prepared_case(case)
    try:
        plain, changed = emitter(target).refusals(prepared.graph), refused(prepared.graph, target)
        assert bool(plain) == bool(changed), f"rewrites decide what is refused: {plain}, {changed}"
        for refusal in changed:
            assert _is_documented(refusal), f"docs/operators.md does not say so: {refusal}"
        if changed:
            return Outcome.REFUSED
        precision = TARGETS[target].float_precision
        computed = [_execute(graph, target, prepared.image, precision) for graph in prepared.graphs(target)]
    except UnsupportedError as error:  # of a compiler that is asked when the file is made
        if not TARGETS[target].chips:
            raise AssertionError(f"{error}\n{describe(case, prepared.proto, target)}") from error
        return Outcome.REFUSED
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}\n{describe(case, prepared.proto, target)}") from error
    score, floor = min(psnr(prepared.expected, pixels) for pixels in computed), FLOOR
    if TARGETS[target].dtype == "uint8":
        floor = BYTES_FLOOR
    assert score >= floor, f"{score:.1f} dB, at least {floor:.0f} expected\n{describe(case, prepared.proto, target)}"
    return Outcome.RAN


def check_integers(case: Case, target: str) -> Outcome:
    """Quantize, convert and execute a case, and compare it with its graph played as it is written.

    Raises:
        AssertionError: It computes something else, or fails after it was not refused.
    """
    prepared, random = prepared_case(case), np.random.default_rng(3)
    try:
        if refused(prepared.graph, target):
            return Outcome.REFUSED
        others = [random.integers(0, 256, prepared.image.shape, np.uint8) for _ in range(2)]
        try:
            graph = quantize(
                prepared.graph, default_plan("int8"), [prepared.image, *others], TARGETS[target].quantizers
            )
        except InputError as error:
            assert "everywhere on all" in str(error), "a constant value has no range"
            return Outcome.REFUSED
        assert has_quantizers(graph)
        expected = np.clip(simulate(graph, [prepared.image])[0], 0, 255)
        computed = _execute(graph, target, prepared.image, "int8")
    except UnsupportedError as error:  # of a compiler that is asked when the file is made
        if not TARGETS[target].chips:
            raise AssertionError(f"{error}\n{describe(case, prepared.proto, target)}") from error
        return Outcome.REFUSED
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}\n{describe(case, prepared.proto, target)}") from error
    score = psnr(expected, computed)
    assert score >= INTEGER_FLOOR, (
        f"{score:.1f} dB, at least {INTEGER_FLOOR:.0f} expected\n{describe(case, prepared.proto, target)}"
    )
    return Outcome.RAN


def _execute(graph: ir.Model, target: str, image: np.ndarray, precision: str = "fp32") -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{TARGETS[target].suffix}"
        emitter(target).emit(graph, precision, Labels("case"), path)
        with open_artifact(path, RUNTIMES[target], threads=1) as session:
            return session.floats(image)


@cache
def lowered_operators(target: str) -> LoweredOperators:
    """The operators that a target takes; OpenVINO is asked for each, so the answer is kept."""
    return emitter(target).lowered_operators()


def _is_documented(refusal: Refusal) -> bool:
    """Whether the page of operators says that such a node may be refused."""
    assert refusal.reason
    lowered = lowered_operators(refusal.target)
    if not lowered.has_own_lowerings or any(general in refusal.reason for general in _GENERAL):
        return True
    return lowered.conditions.get(refusal.operator) != ""


def describe(case: Case, proto: onnx.ModelProto, target: str) -> str:
    """The case, to be pasted into ``regressions.py``, and the generator as ONNX text."""
    return f"target {target}\n{case!r},\n{onnx.printer.to_text(proto)}"
