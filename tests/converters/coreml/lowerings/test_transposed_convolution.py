from pathlib import Path

from pocketlens.converters import coreml
from pocketlens.converters.emitter import Labels
from tests.bands import banded
from tests.converters.coreml.harness import operations
from tests.converters.coreml.operator_cases import FAMILIES


def test_no_uneven_pads_reach_a_transposed_convolution(tmp_path: Path) -> None:
    # Core ML computes them on the CPU alone.
    path = tmp_path / "p.mlpackage"
    coreml.emit(banded(FAMILIES["transposed"]["cropped unevenly"]), "fp32", Labels("test"), path)
    constants = {op.outputs[0].name: op.attributes["val"] for op in operations(path) if op.type == "const"}
    (conv,) = (op for op in operations(path) if op.type == "conv_transpose")
    pads = constants[conv.inputs["pad"].arguments[0].name].immediateValue.tensor.ints.values
    assert list(pads) == [1, 1, 1, 1]
