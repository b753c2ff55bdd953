"""Every lowering against onnxruntime: the package is written, read back and run by the interpreter."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import coreml
from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.lowerings import TABLE, reductions
from pocketlens.converters.emitter import Labels
from pocketlens.quality import psnr
from pocketlens.runtimes import apple
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.bands import HEIGHT, Case, banded, floats, ints, noise, operators, weights
from tests.operators import FAMILIES

EXACT = 100.0
HALF = 50.0


def both(graph: ir.Model, precision: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What onnxruntime computes from the graph, and the interpreter from the package."""
    taken = noise(graph)
    hub.save(graph, folder / "graph.onnx")
    path = folder / f"package{TARGETS['coreml'].suffix}"
    coreml.emit(graph, precision, Labels("test"), path)
    with open_artifact(folder / "graph.onnx") as reference, open_artifact(path, "mil") as session:
        assert session.runtime_info.precision == precision
        return reference.floats(taken), session.floats(taken)


def scores(cases: dict[str, Case], precision: str, folder: Path) -> dict[str, float]:
    """PSNR of each case's band."""
    expected, found = both(banded(*cases.values()), precision, folder)
    bands = {name: slice(i * HEIGHT, (i + 1) * HEIGHT) for i, name in enumerate(cases)}
    flat = [name for name, rows in bands.items() if expected[rows].std() < 3]
    assert not flat, "a flat picture would hide every mistake"
    return {name: psnr(expected[rows], found[rows]) for name, rows in bands.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_operators_are_exact(tmp_path: Path, family: str) -> None:
    found = scores(FAMILIES[family], "fp32", tmp_path)
    assert {name: score for name, score in found.items() if score < EXACT} == {}


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "steps"])
def test_operators_in_half_precision(tmp_path: Path, family: str) -> None:
    found = scores(FAMILIES[family], "fp16", tmp_path)
    assert {name: score for name, score in found.items() if score < HALF} == {}


def test_every_lowering_is_tested() -> None:
    elsewhere = {"QuantizeLinear", "DequantizeLinear"}  # test_coreml_rounding.py
    assert (
        set(TABLE.operators()) - elsewhere - {name for cases in FAMILIES.values() for name in operators(cases)} == set()
    )


def operations(package: Path) -> list[Any]:
    """The operations of a package, read by coremltools."""
    spec = apple.coremltools().utils.load_spec(str(package))
    return list(spec.mlProgram.functions["main"].block_specializations["CoreML6"].operations)


def test_no_uneven_pads_reach_a_transposed_convolution(tmp_path: Path) -> None:
    # Core ML computes them on the CPU alone.
    path = tmp_path / "p.mlpackage"
    coreml.emit(banded(FAMILIES["transposed"]["cropped unevenly"]), "fp32", Labels("test"), path)
    constants = {op.outputs[0].name: op.attributes["val"] for op in operations(path) if op.type == "const"}
    (conv,) = (op for op in operations(path) if op.type == "conv_transpose")
    pads = constants[conv.inputs["pad"].arguments[0].name].immediateValue.tensor.ints.values
    assert list(pads) == [1, 1, 1, 1]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_flat_channel_stays_a_number_with_a_tiny_epsilon(tmp_path: Path, precision: str) -> None:
    nodes = "z = Mul(x, zero)\nn = InstanceNormalization <epsilon = 1e-12> (z, g, b)\ny = Add(n, x)"
    constants = {"zero": floats(1, 0, 1).reshape(3, 1, 1), "g": floats(1, 1, 1), "b": floats(0, 0, 0)}
    expected, found = both(banded(Case(nodes, constants)), precision, tmp_path)
    assert psnr(expected, found) > HALF


def test_a_mean_of_many_values_is_taken_in_steps_in_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reductions, "SAFE_SUM", 100)
    case = Case("r = ReduceMean <keepdims = 0> (x, axes)\nu = Unsqueeze(r, axes)\ny = Sub(x, u)", {"axes": ints(2, 3)})
    expected, found = both(banded(case), "fp16", tmp_path)
    assert psnr(expected, found) > HALF
    assert [op.type for op in operations(tmp_path / "package.mlpackage")].count("reduce_mean") == 2


_S = {"scales": floats(1, 1, 1, 1)}
REFUSED = {
    "cubic": (Case('y = Resize <mode = "cubic"> (x, , scales)', _S), "'cubic'"),
    "antialiased": (Case('y = Resize <mode = "linear", antialias = 1> (x, , scales)', _S), "antialiased"),
    "coordinates": (
        Case('y = Resize <coordinate_transformation_mode = "half_pixel_symmetric"> (x, , scales)', _S),
        "'half_pixel_symmetric'",
    ),
    "a scale that is not what the sizes give": (
        Case(
            'm = Resize <mode = "linear"> (x, , down)\ny = Resize <mode = "linear"> (m, , , whole)',
            {"down": floats(1, 1, 0.55, 0.5), "whole": ints(1, 3, 12, 16)},
        ),
        "scale 0.55",
    ),
    "wrap": (
        Case(
            'z = Pad <mode = "wrap"> (x, p)\ny = Slice(z, s, e, a)',
            {"p": ints(0, 0, 1, 0, 0, 0, 0, 0), "s": ints(0), "e": ints(12), "a": ints(2)},
        ),
        "'wrap'",
    ),
    "reflected channels": (
        Case(
            'z = Pad <mode = "reflect"> (x, p)\ny = Slice(z, s, e, a)',
            {"p": ints(0, 1, 0, 0, 0, 0, 0, 0), "s": ints(0), "e": ints(3), "a": ints(1)},
        ),
        "outside height and width",
    ),
    "negative pads": (
        Case(
            "z = Pad(x, p)\ny = Concat <axis = 2> (z, z)",
            {"p": ints(0, 0, -6, 0, 0, 0, 0, 0)},
        ),
        "negative",
    ),
    "seven axes": (
        Case(
            "r = Reshape(x, seven)\nt = Transpose <perm = [0, 1, 2, 4, 3, 5, 6]> (r)\ny = Reshape(t, whole)",
            {"seven": ints(1, 3, 2, 3, 2, 8, 2), "whole": ints(1, 3, 12, 16)},
        ),
        "7 axes",
    ),
    "the first of six axes": (
        Case(
            "r = Reshape(x, six)\nt = Transpose <perm = [1, 0, 2, 3, 4, 5]> (r)\ny = Reshape(t, whole)",
            {"six": ints(1, 3, 6, 2, 8, 2), "whole": ints(1, 3, 12, 16)},
        ),
        "6 axes",
    ),
    "dilated pool": (
        Case("y = MaxPool <kernel_shape = [3, 3], pads = [2, 2, 2, 2], dilations = [2, 2]> (x)"),
        "dilations",
    ),
    "rounded up": (
        Case(
            "p = AveragePool <kernel_shape = [5, 1], strides = [5, 1], ceil_mode = 1> (x)\n"
            'y = Resize <mode = "nearest"> (p, , , whole)',
            {"whole": ints(1, 3, 12, 16)},
        ),
        "ceil_mode",
    ),
    "computed scale": (
        Case(
            "r = ReduceMean <keepdims = 0> (x, axes)\nb = Squeeze(r, zero)\ny = InstanceNormalization(x, b, g)",
            {"axes": ints(2, 3), "zero": ints(0), "g": floats(1, 1, 1)},
        ),
        "computed, not constant",
    ),
    "computed kernel": (
        Case(
            "s = Slice(x, start, end, axis)\nk = Reshape(s, kernel)\ny = Conv(x, k)",
            {"start": ints(0, 0), "end": ints(1, 3), "axis": ints(2, 3), "kernel": ints(3, 3, 1, 1)},
        ),
        "computed, not constant",
    ),
    "slopes of columns": (Case("y = PRelu(x, s)", {"s": weights(16)}), "slopes"),
    "whole numbers": (
        Case("i = Cast <to = 6> (x)\nf = Cast <to = 1> (i)\ny = Relu(f)"),
        "only float32 and bool",
    ),
    "no lowering": (Case("y = Sinh(x)"), "no lowering"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_expressed_is_refused_with_its_reason(name: str) -> None:
    case, reason = REFUSED[name]
    refusal = coreml.refusals(banded(case))[0]
    assert refusal.target == "coreml"
    assert refusal.node.startswith(refusal.operator.lower())
    assert reason in refusal.reason


def test_refusals_do_not_import_coremltools() -> None:
    import subprocess
    import sys

    code = "import sys, pocketlens.converters.coreml; print('coremltools' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
