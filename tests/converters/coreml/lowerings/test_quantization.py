"""Quantizers of computed values in Core ML: iOS 17's own operations, played by the interpreter as onnxruntime plays the
graph.
"""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens import quality
from pocketlens.converters import coreml
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph


def rounded(kind: type, low: float, high: float) -> ir.Model:
    """What every convolution of a small generator reads, rounded to integers; its weights in 8 bits."""
    model = quantize_weights(small_graph(), "w8")
    info = np.iinfo(kind)
    for node in tuple(model.graph):
        source = node.inputs[0] if node.inputs else None
        if node.op_type not in ("Conv", "ConvTranspose") or source is None or source.name == hub.INPUT:
            continue
        step = np.float32((high - low) / (info.max - info.min))
        scale = hub.add_constant(model, f"{source.name}_step", np.array(step, np.float32))
        zero = hub.add_constant(model, f"{source.name}_zero", np.array(round(info.min - low / step), kind))
        down = ir.node("QuantizeLinear", [source, scale, zero], name=f"{node.name}_down")
        up = ir.node("DequantizeLinear", [down.outputs[0], scale, zero], name=f"{node.name}_up")
        for quantizer, dtype, suffix in ((down, zero.dtype, "down"), (up, ir.DataType.FLOAT, "up")):
            out = quantizer.outputs[0]
            out.name, out.shape, out.dtype = f"{node.name}_{suffix}", source.shape, dtype
        model.graph.insert_before(node, [down, up])
        node.replace_input_with(0, up.outputs[0])
    return model


@pytest.mark.parametrize(("kind", "low", "high"), [(np.uint8, -1.0, 4.0), (np.int8, -3.0, 5.0)])
def test_rounded_values_are_those_of_onnxruntime(tmp_path: Path, kind: type, low: float, high: float) -> None:
    model = rounded(kind, low, high)
    assert not coreml.refusals(model)
    hub.save(model, tmp_path / "graph.onnx")
    image = picture(32, 48)
    with open_artifact(tmp_path / "graph.onnx") as session:
        expected = session.floats(image)
    for precision, least in (("fp32", 75), ("fp16", 40)):
        path = tmp_path / f"{precision}.mlpackage"
        coreml.emit(model, precision, Labels("rounded"), path)
        with open_artifact(path, "mil") as session:
            assert quality.psnr(expected, session.floats(image)) > least


def test_it_needs_the_newer_system_and_the_float_graph_does_not(tmp_path: Path) -> None:
    import coremltools as ct

    for name, model, version in (
        ("int8", rounded(np.uint8, -1, 4), 8),
        ("w8", quantize_weights(small_graph(), "w8"), 7),
    ):
        coreml.emit(model, "fp16", Labels(name), tmp_path / f"{name}.mlpackage")
        spec = ct.utils.load_spec(str(tmp_path / f"{name}.mlpackage"))
        assert spec.specificationVersion == version
        kinds = {
            op.type
            for f in spec.mlProgram.functions.values()
            for b in f.block_specializations.values()
            for op in b.operations
        }
        assert "constexpr_affine_dequantize" in kinds
        assert ("quantize" in kinds) == (name == "int8")


def test_sixteen_bits_are_refused() -> None:
    model = rounded(np.uint16, -1, 4)
    assert {r.reason for r in coreml.refusals(model)} == {"it makes uint16, and only int8 and uint8 are known"}
