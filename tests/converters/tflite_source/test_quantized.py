"""Files of integers: the ONNX model takes the same steps as LiteRT, and says what it does with them."""

from pathlib import Path

import numpy as np
import pytest

from pocketlens.converters.mend_file import MENDED
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.signature import Signature
from pocketlens.converters.tflite.builder import Tensor
from pocketlens.converters.tflite_source import read_tflite
from pocketlens.converters.tflite_source.flatbuffer import read_file
from pocketlens.converters.tflite_source.hybrid import widened
from pocketlens.converters.tflite_source.ranges import known_ranges
from pocketlens.errors import InputError
from tests.converters.graph_builder import run
from tests.converters.tflite_source.harness import FileBuilder, both

HWC = (1, 8, 8, 3)


def _scaled(tensor: Tensor, scale: float, zero: int, dtype: type = np.int8) -> Tensor:
    tensor.dtype, tensor.scales, tensor.zero_point = np.dtype(dtype), np.array([scale], np.float32), zero
    return tensor


def _quantized_net(pixels: type, x_scale: float, zero: int, kind: type = np.int8) -> FileBuilder:
    """A convolution of int8 with a scale for each channel and a bias of int32, a sum, and a pool."""
    f = FileBuilder(HWC)
    _scaled(f.x, x_scale, zero, pixels)
    taken = f.x
    if pixels is not kind:
        taken = _scaled(f.add("QUANTIZE", [f.x], HWC, dtype=kind), x_scale, zero - 128 if kind is np.int8 else 0, kind)
    weights = f.constant(f.rng.integers(-127, 128, (4, 3, 3, 3)), np.int8)
    weights.scales, weights.channel_axis = np.array([0.004, 0.007, 0.002, 0.005], np.float32), 0
    bias = f.constant(f.rng.integers(-900, 900, 4), np.int64 if kind is np.int16 else np.int32)
    bias.data = bias.data.astype(bias.dtype)
    bias.scales = weights.scales * np.float32(x_scale)
    conv = f.add(
        "CONV_2D", [taken, weights, bias], (1, 4, 4, 4), padding=0, strideH=2, strideW=2, dilationHFactor=1,
        dilationWFactor=1, fusedActivationFunction=1, version=3,
    )  # fmt: skip
    _scaled(conv, 2.8 * x_scale, 0 if kind is np.int16 else -128, kind)
    other = f.constant(f.rng.integers(-128, 128, (4,)), np.int8)
    if kind is np.int8:
        _scaled(other, 2.5 * x_scale, 5)
        total = _scaled(f.add("ADD", [conv, other], (1, 4, 4, 4), version=2), 3.8 * x_scale, -100)
        window = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}
        pool = f.add("MAX_POOL_2D", [total], (1, 2, 2, 4), padding=1, version=2, **window)
        _scaled(pool, 3.8 * x_scale, -100)
    return f


@pytest.mark.parametrize(
    ("pixels", "scale", "zero"), [(np.uint8, 1 / 255, 0), (np.int8, 1 / 127.5, -1), (np.int8, 1.0, -128)]
)
def test_a_net_of_integers(pixels: type, scale: float, zero: int, tmp_path: Path) -> None:
    f = _quantized_net(pixels, scale, zero)
    limits = np.iinfo(pixels)
    array = (f.rng.integers(limits.min, limits.max + 1, HWC) - zero).astype(np.float32) * np.float32(scale)
    expected, found = both(f.write(tmp_path / "m.tflite"), array)
    assert np.unique(expected).size > 8
    np.testing.assert_allclose(found, expected, atol=1e-6)
    model = read_tflite(tmp_path / "m.tflite")
    # What only moves values, as a pool does, rounds nothing anew.
    rounded = [node.op_type for node in model.graph].count("QuantizeLinear")
    assert rounded == 3 + (pixels is np.uint8)
    (note,) = model.meta[MENDED]
    assert f"3 weights stay as they were rounded, in float, and its scales round {rounded} values" in note


def test_activations_of_16_bits(tmp_path: Path) -> None:
    f = _quantized_net(np.int16, 1 / 32768, 0, np.int16)
    array = f.rng.uniform(-1, 1, HWC).astype(np.float32)
    expected, found = both(f.write(tmp_path / "m.tflite"), array)
    assert np.ptp(expected) > 0.1
    assert np.abs(found - expected).max() <= 2.8 / 32768 * 1.01  # a step


@pytest.mark.parametrize(
    ("pixels", "scale", "zero", "known"),
    [
        (np.uint8, 1 / 255, 0, (0.0, 1.0)),
        (np.int8, 1 / 127.5, -1, (-1.0, 1.0)),
        (np.int8, 1.0, -128, (0.0, 255.0)),
        (np.int8, 0.0187, -14, None),  # a mean and deviation were taken off before
    ],
)
def test_the_integers_are_the_pixels(
    pixels: type, scale: float, zero: int, known: tuple[float, float] | None, tmp_path: Path
) -> None:
    path = _quantized_net(pixels, scale, zero).write(tmp_path / "m.tflite")
    taken, given = known_ranges(read_file(path), Signature())
    assert given is None
    assert (
        taken is None if known is None else taken is not None and Ranges(taken).input == pytest.approx(known, abs=0.01)
    )
    if taken is not None:
        pixel = np.arange(256) * (taken[1] - taken[0]) / 255 + taken[0]
        assert np.array_equal(np.rint(pixel / scale) + zero, np.arange(256) + np.iinfo(pixels).min)


def test_layers_that_read_floats(tmp_path: Path) -> None:
    """The graph is the file with its weights as floats, bit by bit what LiteRT computes of it but for its sums."""
    f = FileBuilder(HWC)
    weights = f.constant(f.rng.integers(-127, 128, (8, 3, 3, 3)), np.int8)
    weights.scales = np.linspace(0.001, 0.01, 8).astype(np.float32)
    f.add(
        "CONV_2D", [f.x, weights, f.random(8)], (1, 8, 8, 8), padding=0, strideH=1, strideW=1, dilationHFactor=1,
        dilationWFactor=1,
    )  # fmt: skip
    path, array = f.write(tmp_path / "m.tflite"), f.rng.uniform(-1, 1, HWC).astype(np.float32)
    rounded, found = both(path, array)
    data = widened(read_file(path))
    assert data is not None
    (tmp_path / "wide.tflite").write_bytes(data)
    expected, again = both(tmp_path / "wide.tflite", array)
    assert widened(read_file(tmp_path / "wide.tflite")) is None
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(again, expected, atol=1e-5)
    assert 1e-3 < np.abs(rounded - expected).max() < 0.1  # LiteRT's own kernel rounds what it reads
    assert any("1 of its layers have int8 weights and read floats" in note for note in read_tflite(path).meta[MENDED])


def test_values_with_a_scale_for_each_channel(tmp_path: Path) -> None:
    f = FileBuilder(HWC)
    made = _scaled(f.add("QUANTIZE", [f.x], HWC, dtype=np.int8), 0.1, 0)
    made.scales, made.channel_axis = np.array([0.1, 0.2, 0.3], np.float32), 3
    f.add("DEQUANTIZE", [made], HWC, version=2)
    with pytest.raises(InputError, match=r"'v0_0' of .* has a scale for each channel"):
        read_tflite(f.write(tmp_path / "m.tflite"))


def test_weights_of_4_bits(tmp_path: Path) -> None:
    """Two in a byte, the lower half first."""
    from pocketlens.converters.tflite_source.flatbuffer import _unpack4

    assert _unpack4(np.array([0x1F, 0x8, 0x7], np.uint8), 5).tolist() == [-1, 1, -8, 0, 7]


def test_the_checked_model_is_what_runs(tmp_path: Path) -> None:
    """A constant that is only dequantized is a constant, not a node."""
    f = FileBuilder(HWC)
    half = f.constant(f.rng.uniform(-1, 1, 3), np.float16)
    wide = f.add("DEQUANTIZE", [half], (3,), version=3)
    f.add("MUL", [f.x, wide], HWC)
    model = read_tflite(f.write(tmp_path / "m.tflite"))
    assert [node.op_type for node in model.graph] == ["Mul", "Identity"]
    assert half.data is not None
    found = run(model, {"x": np.ones(HWC, np.float32)})[0]
    assert np.array_equal(found, np.broadcast_to(half.data.astype(np.float32), HWC))
