"""Every operator that is read: its ONNX nodes compute what LiteRT computes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pocketlens.converters.constants import constant
from pocketlens.converters.tflite_source import import_file
from pocketlens.converters.tflite_source.flatbuffer import read_file
from pocketlens.converters.tflite_source.importer import RULES
from tests.converters.tflite_source.harness import FileBuilder, both

HWC = (1, 7, 6, 4)
Case = Callable[[FileBuilder], object]
SAME, VALID = 0, 1


def _gathered_entries(f: FileBuilder) -> object:
    rows, columns = np.meshgrid([3, 0, 6, 2], [5, 1, 1], indexing="ij")
    places = f.constant(np.stack([0 * rows, rows, columns], -1)[None], np.int32)
    return f.add("GATHER_ND", [f.x, places], (1, 4, 3, 4))


def _unary(code: str, **options: object) -> Case:
    return lambda f: f.add(code, [f.x], HWC, **options)


def _binary(code: str, shape: tuple[int, ...] = (4,), **options: object) -> Case:
    return lambda f: f.add(code, [f.x, f.random(*shape)], HWC, **options)


def _positive(code: str) -> Case:
    return lambda f: f.add(code, [f.add("ABS", [f.x], HWC)], HWC)


def _conv(padding: int, stride: int, dilation: int, kernel: tuple[int, int], out: tuple[int, int]) -> Case:
    def case(f: FileBuilder) -> object:
        steps = {"strideH": stride, "strideW": stride, "dilationHFactor": dilation, "dilationWFactor": dilation}
        weights = f.random(5, *kernel, 4)
        return f.add("CONV_2D", [f.x, weights, f.random(5)], (1, *out, 5), padding=padding, **steps)

    return case


def _depthwise(f: FileBuilder) -> object:
    inputs = [f.x, f.random(1, 3, 3, 8), f.random(8)]
    return f.add(
        "DEPTHWISE_CONV_2D", inputs, (1, 4, 3, 8), padding=SAME, strideH=2, strideW=2, depthMultiplier=2,
        fusedActivationFunction=3,
    )  # fmt: skip


def _transposed(padding: int, kernel: int, out: tuple[int, int], *bias: int) -> Case:
    def case(f: FileBuilder) -> object:
        inputs = [f.integers(1, *out, 3), f.random(3, kernel, kernel, 4), f.x, *([f.random(*bias)] if bias else [])]
        return f.add("TRANSPOSE_CONV", inputs, (1, *out, 3), padding=padding, strideH=2, strideW=2)

    return case


def _pool(code: str, padding: int, out: tuple[int, int]) -> Case:
    window = {"filterHeight": 3, "filterWidth": 2, "strideH": 2, "strideW": 2}
    return lambda f: f.add(code, [f.x], (1, *out, 4), padding=padding, **window)


def _resize(code: str, out: tuple[int, int], **options: bool) -> Case:
    return lambda f: f.add(code, [f.x, f.integers(*out)], (1, *out, 4), **options)


def _reduced(code: str, axes: list[int], shape: tuple[int, ...], keep: bool) -> Case:
    return lambda f: f.add(code, [f.x, f.integers(*axes)], shape, keepDims=keep)


def _padded(code: str, *more: float, **options: int) -> Case:
    def case(f: FileBuilder) -> object:
        borders = f.integers([0, 0], [2, 1], [0, 3], [0, 0])
        return f.add(code, [f.x, borders, *(f.constant(number) for number in more)], (1, 10, 9, 4), **options)

    return case


def _split(f: FileBuilder) -> object:
    f.add("SPLIT", [f.integers(3), f.x], (1, 7, 6, 2), (1, 7, 6, 2), numSplits=2)
    return f.add("SUB", f.operators[-1].outputs[::-1], (1, 7, 6, 2))


def _split_v(f: FileBuilder) -> object:
    f.add("SPLIT_V", [f.x, f.integers(2, -1), f.integers(1)], (1, 2, 6, 4), (1, 5, 6, 4), numSplits=2)
    return f.add("NEG", [f.operators[-1].outputs[1]], (1, 5, 6, 4))


def _packed(f: FileBuilder) -> object:
    f.add("UNPACK", [f.x], *[(1, 7, 4)] * 6, num=6, axis=2)
    return f.add("PACK", f.operators[-1].outputs[4:1:-1], (1, 7, 4, 3), valuesCount=3, axis=-1)


def _sliced(**masks: int) -> Case:
    shape = {"shrinkAxisMask": (1, 3, 4), "ellipsisMask": (1, 7, 6, 2)}.get(next(iter(masks)), (1, 3, 2, 4))

    def case(f: FileBuilder) -> object:
        if "ellipsisMask" in masks:
            numbers = ([0, 0], [0, 4], [1, 2])
        else:
            step = 1 if "shrinkAxisMask" in masks else -2
            numbers = ([0, 1, 4, 0], [1, 6, 0, 4], [1, 2, step, 1])
        return f.add("STRIDED_SLICE", [f.x, *(f.integers(*n) for n in numbers)], shape, **masks)

    return case


def _compared(code: str, *, negated: bool = False) -> Case:
    def case(f: FileBuilder) -> object:
        mask = f.add(code, [f.x, f.random(4)], HWC, dtype=np.bool_)
        if negated:
            mask = f.add("LOGICAL_NOT", [mask], HWC, dtype=np.bool_)
        return f.add("SELECT_V2", [mask, f.x, f.random(4)], HWC)

    return case


def _logical(code: str) -> Case:
    def case(f: FileBuilder) -> object:
        masks = [f.add("GREATER", [f.x, f.constant([limit])], HWC, dtype=np.bool_) for limit in (-0.5, 0.5)]
        return f.add("CAST", [f.add(code, masks, HWC, dtype=np.bool_)], HWC, outDataType=0, inDataType=6)

    return case


def _by_shape(f: FileBuilder) -> object:
    """A reshape to a shape that is computed, as files of free sizes do it."""
    shape = f.add("SHAPE", [f.x], (4,), dtype=np.int32, outType=2)
    part = f.add(
        "STRIDED_SLICE", [shape, f.integers(1), f.integers(2), f.integers(1)], (), dtype=np.int32, shrinkAxisMask=1
    )
    twice = f.add("MUL", [part, f.constant(2, np.int32)], (), dtype=np.int32)
    third = f.add("FLOOR_DIV", [twice, f.constant(3, np.int32)], (), dtype=np.int32)
    rest = f.add("FLOOR_MOD", [third, f.constant(3, np.int32)], (), dtype=np.int32)  # 14 / 3 = 4, of 3 is 1
    size = f.add("PACK", [rest, twice, f.constant(12, np.int32)], (3,), dtype=np.int32, valuesCount=3)
    return f.add("RESHAPE", [f.x, size], (1, 14, 12))


def _ranged(f: FileBuilder) -> object:
    places = f.add("RANGE", [f.constant(n, np.int32) for n in (5, -1, -2)], (3,), dtype=np.int32)
    return f.add("GATHER", [f.x, places], (1, 7, 3, 4), axis=2)


def _filled(f: FileBuilder) -> object:
    return f.add("MUL", [f.x, f.add("FILL", [f.integers(6, 4), f.constant(0.3)], (6, 4))], HWC)


def _matmul(f: FileBuilder) -> object:
    right = f.add("RESHAPE", [f.x, f.integers(1, 7, 4, 6)], (1, 7, 4, 6), newShape=[1, 7, 4, 6])
    return f.add("BATCH_MATMUL", [f.x, right], (1, 7, 4, 4), adjX=True, adjY=True)


def _dense(f: FileBuilder) -> object:
    return f.add("FULLY_CONNECTED", [f.x, f.random(3, 4), f.random(3)], (1, 7, 6, 3), keepNumDims=True)


def _dense_rows(f: FileBuilder) -> object:
    return f.add("FULLY_CONNECTED", [f.x, f.random(3, 24), f.random(3)], (7, 3), fusedActivationFunction=1)


def _arg(code: str) -> Case:
    def case(f: FileBuilder) -> object:
        places = f.add(code, [f.x, f.integers(-1)], (1, 7, 6), dtype=np.int32, outputType=2)
        return f.add("CAST", [places], (1, 7, 6), inDataType=2, outDataType=0)

    return case


CASES: dict[str, Case] = {
    **{code: _unary(code) for code in (
        "ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "HARD_SWISH", "L2_NORMALIZATION", "LOGISTIC", "NEG", "RELU",
        "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "SIGN", "SIN", "SQUARE", "TANH", "LOG_SOFTMAX",
    )},
    **{code: _positive(code) for code in ("LOG", "RSQRT", "SQRT")},
    **{code: _binary(code) for code in ("ADD", "DIV", "FLOOR_DIV", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE")},
    **{f"ADD with {name}": _binary("ADD", fusedActivationFunction=number) for number, name in
       ((1, "RELU"), (2, "RELU_N1_TO_1"), (3, "RELU6"))},
    **{code: _compared(code) for code in ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")},
    **{code: _logical(code) for code in ("LOGICAL_AND", "LOGICAL_OR")},
    "SELECT_V2": _compared("LESS"), "LOGICAL_NOT": _compared("LESS", negated=True),
    "SELECT": lambda f: f.add(
        "SELECT", [f.add("LESS", [f.x, f.constant([0.0])], HWC, dtype=np.bool_), f.x, f.random(*HWC)], HWC
    ),
    "SUB": _binary("SUB", HWC), "PRELU": _binary("PRELU", (1, 1, 4)), "PRELU of pixels": _binary("PRELU", (7, 6, 4)),
    "POW": lambda f: f.add("POW", [f.add("ABS", [f.x], HWC), f.constant([1.7])], HWC),
    "FLOOR_MOD": _binary("FLOOR_MOD"), "ADD_N": lambda f: f.add("ADD_N", [f.x, f.random(*HWC), f.x], HWC),
    "LEAKY_RELU": _unary("LEAKY_RELU", alpha=0.2),
    "GELU": _unary("GELU", approximate=False), "GELU by tanh": _unary("GELU", approximate=True),
    "SOFTMAX": _unary("SOFTMAX", beta=1.0), "SOFTMAX of beta": _unary("SOFTMAX", beta=0.5),
    "CONV_2D": _conv(SAME, 2, 1, (3, 3), (4, 3)), "CONV_2D even": _conv(SAME, 2, 1, (4, 2), (4, 3)),
    "CONV_2D dilated": _conv(SAME, 1, 2, (3, 3), (7, 6)), "CONV_2D valid": _conv(VALID, 2, 1, (3, 2), (3, 3)),
    "CONV_2D of stride 3": _conv(SAME, 3, 1, (2, 2), (3, 2)),
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed(SAME, 3, (14, 12)), "TRANSPOSE_CONV odd": _transposed(SAME, 3, (13, 11)),
    "TRANSPOSE_CONV even": _transposed(SAME, 4, (14, 12)), "TRANSPOSE_CONV valid": _transposed(VALID, 3, (15, 13)),
    "TRANSPOSE_CONV with a bias of four axes": _transposed(SAME, 3, (14, 12), 1, 1, 1, 3),
    "TRANSPOSE_CONV of gaps": _transposed(SAME, 1, (14, 12)),
    "FULLY_CONNECTED": _dense, "FULLY_CONNECTED of rows": _dense_rows, "BATCH_MATMUL": _matmul,
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D", SAME, (4, 3)),
    "AVERAGE_POOL_2D valid": _pool("AVERAGE_POOL_2D", VALID, (3, 3)),
    "MAX_POOL_2D": _pool("MAX_POOL_2D", SAME, (4, 3)),
    **{f"{code} {name} {out}": _resize(code, out, **options) for code in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
       for name, options in (("plain", {}), ("corners", {"alignCorners": True}), ("halves", {"halfPixelCenters": True}))
       for out in ((14, 12), (5, 9))},
    "MEAN": _reduced("MEAN", [1, 2], (1, 1, 1, 4), True), "SUM": _reduced("SUM", [-1], (1, 7, 6), False),
    "REDUCE_MAX": _reduced("REDUCE_MAX", [2], (1, 7, 4), False),
    "REDUCE_MIN": _reduced("REDUCE_MIN", [1], (1, 1, 6, 4), True),
    "REDUCE_PROD": _reduced("REDUCE_PROD", [3], (1, 7, 6), False),
    "ARG_MAX": _arg("ARG_MAX"), "ARG_MIN": _arg("ARG_MIN"),
    "PAD": _padded("PAD"), "PADV2": _padded("PADV2", 0.7), "MIRROR_PAD": _padded("MIRROR_PAD", mode=0),
    "MIRROR_PAD of channels": lambda f: f.add(
        "MIRROR_PAD", [f.x, f.integers([0, 0], [1, 0], [0, 0], [2, 1])], (1, 8, 6, 7), mode=0
    ),
    "MIRROR_PAD symmetric": _padded("MIRROR_PAD", mode=1),
    "RESHAPE": lambda f: f.add("RESHAPE", [f.x, f.integers(6, -1)], (6, 28), newShape=[6, -1]), "SHAPE": _by_shape,
    "TRANSPOSE": lambda f: f.add("TRANSPOSE", [f.x, f.integers(0, 2, 3, 1)], (1, 6, 4, 7)),
    "EXPAND_DIMS": lambda f: f.add("EXPAND_DIMS", [f.x, f.integers(2)], (1, 7, 1, 6, 4)),
    "SQUEEZE": lambda f: f.add("SQUEEZE", [f.x], (7, 6, 4), squeezeDims=[0]),
    "CONCATENATION": lambda f: f.add("CONCATENATION", [f.x, f.random(1, 7, 6, 2)], (1, 7, 6, 6), axis=-1),
    "SPLIT": _split, "SPLIT_V": _split_v, "PACK": _packed, "UNPACK": _packed, "CAST": _arg("ARG_MAX"),
    "GATHER_ND": _gathered_entries,
    "GATHER": lambda f: f.add("GATHER", [f.x, f.integers(2, 0, 3)], (1, 7, 6, 3), axis=3), "RANGE": _ranged,
    "TILE": lambda f: f.add("TILE", [f.x, f.integers(1, 2, 1, 1)], (1, 14, 6, 4)),
    "BROADCAST_TO": lambda f: f.add("BROADCAST_TO", [f.x, f.integers(2, 7, 6, 4)], (2, 7, 6, 4), version=2),
    "FILL": _filled,
    "REVERSE_V2": lambda f: f.add("REVERSE_V2", [f.x, f.integers(3)], HWC),
    "SLICE": lambda f: f.add("SLICE", [f.x, f.integers(0, 2, 1, 0), f.integers(1, 3, -1, 4)], (1, 3, 5, 4)),
    "STRIDED_SLICE": _sliced(beginMask=0), "STRIDED_SLICE shrunk": _sliced(shrinkAxisMask=4),
    "STRIDED_SLICE of masks": _sliced(ellipsisMask=1),
    "SPACE_TO_DEPTH": lambda f: f.add(
        "SPACE_TO_DEPTH", [f.add("SLICE", [f.x, f.integers(0, 0, 0, 0), f.integers(1, 6, 6, 4)], (1, 6, 6, 4))],
        (1, 3, 3, 16), blockSize=2,
    ),
    "DEPTH_TO_SPACE": lambda f: f.add("DEPTH_TO_SPACE", [f.x], (1, 14, 12, 1), blockSize=2),
}  # fmt: skip
ELSEWHERE = {"QUANTIZE", "DEQUANTIZE"}
"""Operators that the tests of quantized files play."""


@pytest.mark.parametrize("name", CASES)
def test_the_same_values(name: str, tmp_path: Path) -> None:
    f = FileBuilder(HWC)
    CASES[name](f)
    array = np.random.default_rng(1).uniform(-2, 2, HWC).astype(np.float32)
    expected, found = both(f.write(tmp_path / "m.tflite"), array)
    assert found.shape == expected.shape
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_every_rule_is_played() -> None:
    assert set(RULES) - {name.split()[0] for name in CASES} == ELSEWHERE


def test_rows_are_mirrored_channels_first(tmp_path: Path) -> None:
    """Core ML mirrors height and width alone, which are its last axes."""
    f = FileBuilder(HWC)
    CASES["MIRROR_PAD"](f)
    model = import_file(read_file(f.write(tmp_path / "m.tflite")))
    pads = [constant(node.inputs[1]) for node in model.graph if node.op_type == "Pad"]
    assert [array.tolist() for array in pads if array is not None] == [[0, 0, 2, 0, 0, 0, 1, 3]]
