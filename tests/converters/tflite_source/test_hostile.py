"""Files that claim what they do not hold: each is refused in words, soon, and takes no memory for it."""

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from pocketlens.converters.tflite_source import read_tflite
from pocketlens.errors import InputError
from tests.converters.tflite_source.harness import FileBuilder

HWC = (1, 8, 8, 3)


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.fixture
def good(tmp_path: Path) -> Path:
    f = FileBuilder(HWC)
    conv = f.add(
        "CONV_2D", [f.x, f.random(4, 3, 3, 3), f.random(4)], (1, 8, 8, 4), padding=0, strideH=1, strideW=1,
        dilationHFactor=1, dilationWFactor=1,
    )  # fmt: skip
    padded = f.add("PAD", [conv, f.integers([0, 0], [1, 1], [1, 1], [0, 0])], (1, 10, 10, 4))
    f.add("RELU", [padded], (1, 10, 10, 4))
    return f.write(tmp_path / "m.tflite")


def _changed(good: Path, change: Callable[[Any], None]) -> Path:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(good.read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    good.write_bytes(bytes(builder.Output()))
    return good


def _tensor(name: str, field: str, value: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        (tensor,) = (t for t in model.subgraphs[0].tensors if t.name == name.encode())
        setattr(tensor, field, value)

    return change


def _operator(place: int, field: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model.subgraphs[0].operators[place], field, value)


def _option(place: int, field: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model.subgraphs[0].operators[place].builtinOptions, field, value)


def _code(number: int, custom: str | None = None) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        code = model.operatorCodes[2]
        code.builtinCode = number
        code.deprecatedBuiltinCode, code.customCode = min(number, 127), custom

    return change


def _scales(**fields: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        entry = schema.QuantizationParametersT()
        for field, value in {"scale": np.ones(1, np.float32), **fields}.items():
            setattr(entry, field, value)
        (tensor,) = (t for t in model.subgraphs[0].tensors if t.name == b"v1_0")
        tensor.quantization, tensor.type = entry, schema.TensorType.INT8

    return change


def _aliased(model: Any) -> None:
    """A thousand tensors of one buffer, each of other axes: as many copies as floats."""
    (weights,) = (t for t in model.subgraphs[0].tensors if t.name == b"c1")
    model.buffers[weights.buffer].data = np.zeros(4 << 16, np.uint8)
    weights.shape = np.array([1 << 16], np.int32)
    for index in range(1000):
        twin = schema.TensorT()
        twin.name, twin.type, twin.buffer = f"twin{index}", weights.type, weights.buffer
        twin.shape = np.array([1 << 16], np.int32)
        model.subgraphs[0].tensors.append(twin)


def _without_options(model: Any) -> None:
    model.subgraphs[0].operators[0].builtinOptions = None
    model.subgraphs[0].operators[0].builtinOptionsType = 0


CASES: dict[str, tuple[Callable[[Any], None], str]] = {
    "a tensor that is not there": (_operator(1, "inputs", [0, 99]), "reads tensor 99 of 7"),
    "a tensor before the first": (_operator(1, "inputs", [-7, 1]), "reads tensor -7 of 7"),
    "an operand left out": (_operator(1, "inputs", [-1, 1]), r"PAD 'v1_0' of .* leaves out its input 0"),
    "too few operands": (_operator(1, "inputs", [3]), r"PAD 'v1_0' .* leaves out its input 1"),
    "no output": (_operator(1, "outputs", []), "has no output"),
    "two outputs": (_operator(1, "outputs", [4, 5]), "has 2 outputs, 1 expected"),
    "a circle": (_operator(0, "inputs", [6, 1, 2]), "reads 'v1_0' before it is computed"),
    "what is computed twice": (_operator(1, "outputs", [3]), "computes what was there before"),
    "a kind of operator that is not there": (_operator(1, "opcodeIndex", 70), "an operator of kind 70 of 3"),
    "an operator that is not read": (_code(27), r"SVDF 'v2_0' of .* is an operator that is not read"),
    "a custom operator": (_code(32, "Mine"), r"CUSTOM Mine 'v2_0' of .* is an operator that is not read"),
    "control flow": (_code(118), "IF 'v2_0' of .* is an operator that is not read"),
    "a number without a name": (_code(7000), "operator 7000 'v2_0' of .* is an operator that is not read"),
    "a negative axis": (_tensor("x", "shape", [1, -8, 8, 3]), r"'x' of .* has the shape \[1, -8, 8, 3\]"),
    "a huge axis": (_tensor("v0_0", "shape", [1, 1 << 30, 8, 4]), r"has the shape \[1, 1073741824, 8, 4\]"),
    "axes without end": (_tensor("x", "shape", [1] * 5000), "has 5,000 axes of 'x', more than 8"),
    "a shape larger than its buffer": (_tensor("c1", "shape", [4, 3, 3, 9]), "1,296 bytes expected, 432 found"),
    "a shape smaller than its buffer": (_tensor("c1", "shape", [4, 3, 3, 1]), "144 bytes expected, 432 found"),
    "weights of too few axes": (_tensor("c1", "shape", [108]), r"has weights of the shape \[108\]"),
    "a buffer that is not there": (_tensor("c1", "buffer", 500), "is in buffer 500 of"),
    "a long name": (_tensor("x", "name", "x" * 5000), "a name of 5,000 characters, at most 4,096"),
    "a variable": (_tensor("v0_0", "isVariable", True), "is a variable, kept from picture to picture"),
    "sparse weights": (_tensor("c1", "sparsity", schema.SparsityParametersT()), "keeps its values in sparse form"),
    "values elsewhere": (_tensor("c1", "externalBuffer", 1), "keeps its values outside the file"),
    "a type that is not read": (_tensor("c1", "type", schema.TensorType.COMPLEX64), "is of type COMPLEX64"),
    "a computed type that is not read": (_tensor("x", "type", schema.TensorType.STRING), "'x' .* is of type STRING"),
    "no stride": (_option(0, "strideH", 0), r"CONV_2D 'v0_0' of .* has strideH 0, expected 1 to"),
    "a huge stride": (_option(0, "strideW", 1 << 30), "has strideW 1073741824"),
    "a padding of no kind": (_option(0, "padding", 2), "has padding 2, expected 0 to 1"),
    "a function of no kind": (_option(0, "fusedActivationFunction", 9), "applies the function 9 to its output"),
    "no options": (_without_options, "has dilationHFactor None"),
    "an output that nothing computes": (
        lambda model: setattr(model.subgraphs[0], "outputs", [-1]), "gives an output that nothing computes"),
    "an input twice": (lambda model: setattr(model.subgraphs[0], "inputs", [0, 0]), "names an input twice"),
    "no graph": (lambda model: setattr(model, "subgraphs", []), "has no graph"),
    "a scale of zero": (_scales(scale=np.zeros(1, np.float32)), "scales or zero points that mean nothing"),
    "a scale that is no number": (_scales(scale=np.full(1, np.nan, np.float32)), "that mean nothing"),
    "more scales than channels": (_scales(scale=np.ones(9, np.float32), quantizedDimension=3), "9 scales along axis 3"),
    "scales along no axis": (_scales(scale=np.ones(4, np.float32), quantizedDimension=-1), "4 scales along axis -1"),
    "a zero point of no integer": (_scales(zeroPoint=np.full(1, 300)), "'v1_0' of .* is int8 around 300"),
    "a zero point without end": (_scales(zeroPoint=np.full(1, 1 << 62)), "that mean nothing"),
    "a buffer read a thousand times": (_aliased, "reads its buffers many times over"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_words(name: str, good: Path) -> None:
    change, message = CASES[name]
    with pytest.raises(InputError, match=message) as told:
        read_tflite(_changed(good, change))
    assert str(good) in str(told.value) and told.value.do


def test_what_is_known_is_listed(good: Path) -> None:
    with pytest.raises(InputError) as told:
        read_tflite(_changed(good, _code(32, "TFLite_Mine")))
    assert told.value.do.startswith("a custom operator computes what its own program says; ")
    assert "TRANSPOSE_CONV" in told.value.do and "ABS" in told.value.do and "\u2026" not in told.value.do


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_a_file_that_was_cut(good: Path, share: float) -> None:
    data = good.read_bytes()
    good.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError):
        read_tflite(good)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "absent.tflite", "does not exist"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=message):
            read_tflite(path)
    (tmp_path / "text.tflite").write_text("not a model, but a text that is long enough to be one")
    with pytest.raises(InputError, match="is not a TFLite file"):
        read_tflite(tmp_path / "text.tflite")
