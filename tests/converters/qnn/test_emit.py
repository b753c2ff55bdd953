"""Files for a Snapdragon's NPU: what stays on it, what is refused with its name, and what a file says of itself."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from pocketlens import accelerators
from pocketlens.accelerators import Request
from pocketlens.converters import qnn
from pocketlens.converters.emitter import Labels
from pocketlens.converters.qnn import compiler
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.files import artifact_files
from pocketlens.quality import psnr
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph

SIZE = (32, 48)
needs_qnn = pytest.mark.skipif(bool(RUNTIMES["qnn"].missing()), reason=RUNTIMES["qnn"].install)


def _with_odd_node() -> ir.Model:
    """The small generator with an Acosh in front of its end, which no NPU computes."""
    graph = small_graph(*SIZE)
    last = graph.graph[-1]
    source = last.inputs[0]
    assert source is not None
    odd = ir.node("Acosh", [source], name="the_odd_one")
    odd.outputs[0].shape, odd.outputs[0].dtype = source.shape, ir.DataType.FLOAT
    graph.graph.insert_before(last, odd)
    last.replace_input_with(0, odd.outputs[0])
    return graph


def test_operators_without_a_translation_are_named() -> None:
    (refusal,) = qnn.refusals(_with_odd_node())
    assert (refusal.operator, refusal.node) == ("Acosh", "the_odd_one")
    assert qnn.refusals(small_graph()) == []


_TRANSPOSED = """
<ir_version: 10, opset_import: ["": 20]>
m (float[1, 4, 6, 6] x) => (float[1, 4, N, M] y) <float[4, 2, 3, 3] w, float one = {1}, uint8 zero = {0}>
{ s = %s y = ConvTranspose <strides = [2, 2], group = 2, %s> (s, w) }
"""


@pytest.mark.parametrize(
    ("source", "attributes", "reason"),
    [
        ("Relu (x)", "pads = [1, 1, 1, 1], output_padding = [1, 1]", ""),
        ("Relu (x)", "dilations = [2, 2]", "no dilation"),
        ("Relu (x)", "output_padding = [1, 0]", "rows of output_padding"),
        ("Relu (x)", "pads = [1, 1, 1, 0], output_padding = [0, 1]", "rows of output_padding"),
        ("QuantizeLinear (x, one, zero) d = DequantizeLinear (s, one, zero)", "pads = [1, 1, 1, 1]", "no groups"),
    ],
)
def test_transposed_convolutions_that_would_be_wrong_are_refused(source: str, attributes: str, reason: str) -> None:
    text = _TRANSPOSED % (source, attributes)
    model = ir.from_proto(onnx.parser.parse_model(text.replace("(s, w)", "(d, w)") if "d =" in source else text))
    reasons = [refusal.reason for refusal in qnn.refusals(model)]
    assert len(reasons) == bool(reason) and all(reason in said for said in reasons)


@needs_qnn
def test_what_the_npu_lacks_is_refused_or_left_to_the_processor(tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    with pytest.raises(UnsupportedError, match=r"would not stay on the NPU.*\n.*Acosh 'the_odd_one'"):
        qnn.emit(_with_odd_node(), "fp16", Labels("odd"), path, "sm8650")
    assert not path.exists()
    qnn.emit(_with_odd_node(), "fp16", Labels("odd"), path, "sm8650", partly_on_cpu=True)
    placement = accelerators.place("snapdragon-npu", Request(path))
    assert (placement.status, placement.operators) == ("partly", ("Acosh",))


@needs_qnn
@pytest.mark.parametrize("precision", ["int8", "int8-a16"])
def test_a_chip_without_floats_computes_the_whole_net(tmp_path: Path, precision: str) -> None:
    quantizers, shown = TARGETS["qnn"].quantizers, picture(*SIZE, 7)
    graph = quantize(small_graph(*SIZE), default_plan(precision), [picture(*SIZE, s) for s in (1, 2)], quantizers)
    path = tmp_path / "small.onnx"
    qnn.emit(graph, precision, Labels("small", license="MIT"), path, "sm7750")
    with open_artifact(path) as session:
        played = session.floats(shown)
    assert psnr(np.clip(simulate(graph, [shown])[0], 0, 255), played) > (50 if precision == "int8" else 60)
    placement = accelerators.place("snapdragon-npu", Request(path))
    assert placement.status == "whole" and "Snapdragon 7 Gen 4" in placement.engine
    said = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    assert (said["chip"], said["license"], said["precision"]) == ("sm7750", "MIT", precision)
    assert artifact_files(path) == [path, path.with_suffix(".bin")]


@needs_qnn
def test_a_chip_without_floats_refuses_half_precision(tmp_path: Path) -> None:
    """What the table of chips says: the compiler takes no convolution in floats for it."""
    with pytest.raises(UnsupportedError, match="takes no part of the graph"):
        qnn.emit(small_graph(*SIZE), "fp16", Labels("small"), tmp_path / "a.onnx", "sm7750")


def test_a_compiler_that_is_killed_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(RUNTIMES["qnn"]), "missing", lambda self: "")
    monkeypatch.setattr(compiler, "module_command", lambda *arguments: ["/bin/sh", "-c", "kill -KILL $$"])
    (tmp_path / "qnn_op_trace.json").write_text("{")  # as far as it came
    with pytest.raises(InputError, match=r"compiler crashed \(SIGKILL\)") as crash:
        compiler.compile_context(tmp_path / "graph.onnx", 57)
    assert not isinstance(crash.value, UnsupportedError)
