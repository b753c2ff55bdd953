"""The rules against what coremltools itself computes from constants, and against its documentation's examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pocketlens.runtimes import apple
from pocketlens.runtimes.mil.interpreter import as_declared
from pocketlens.runtimes.mil.rules import RULES, Inputs
from pocketlens.runtimes.mil.rules.resize import _points
from pocketlens.runtimes.mil.values import Type

X = np.random.default_rng(0).uniform(-3, 3, (1, 4, 6, 8)).astype(np.float32)
P = np.abs(X) + np.float32(0.1)
Y = np.random.default_rng(1).uniform(0.5, 3, (4, 1, 8)).astype(np.float32)
ONE, THIRD = np.float32(1.25), np.float32(0.3)


def _i(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


VALUES: dict[str, dict[str, Any]] = {
    "abs": {"x": X},
    "atan": {"x": X},
    "ceil": {"x": X},
    "clip": {"x": X, "alpha": -THIRD, "beta": ONE},
    "cos": {"x": X},
    "elu": {"x": X, "alpha": THIRD},
    "erf": {"x": X},
    "exp": {"x": X},
    "exp2": {"x": X},
    "floor": {"x": X},
    "gelu": {"x": X},
    "gelu tanh": {"x": X, "mode": "TANH_APPROXIMATION"},
    "gelu sigmoid": {"x": X, "mode": "SIGMOID_APPROXIMATION"},
    "inverse": {"x": P, "epsilon": THIRD},
    "inverse default": {"x": P},
    "leaky_relu": {"x": X, "alpha": THIRD},
    "linear_activation": {"x": X, "alpha": THIRD, "beta": ONE},
    "log": {"x": P, "epsilon": THIRD},
    "prelu": {"x": X, "alpha": np.float32([0.1, -0.2, 0.3, 0.4])},
    "relu": {"x": X},
    "relu6": {"x": X * 4},
    "round": {"x": X},
    "rsqrt": {"x": P, "epsilon": THIRD},
    "scaled_tanh": {"x": X, "alpha": ONE, "beta": THIRD},
    "sigmoid": {"x": X},
    "sigmoid_hard": {"x": X, "alpha": THIRD, "beta": THIRD},
    "sign": {"x": X},
    "sin": {"x": X},
    "softmax": {"x": X, "axis": np.int32(1)},
    "softplus": {"x": X},
    "softplus_parametric": {"x": X, "alpha": Y[:, 0, 0], "beta": Y[:, 0, 1]},
    "softsign": {"x": X},
    "sqrt": {"x": P},
    "square": {"x": X},
    "tanh": {"x": X},
    "thresholded_relu": {"x": X, "alpha": THIRD},
    "add": {"x": X, "y": Y},
    "sub": {"x": X, "y": Y},
    "mul": {"x": X, "y": Y},
    "real_div": {"x": X, "y": Y},
    "floor_div": {"x": X, "y": Y},
    "mod": {"x": X, "y": Y},
    "pow": {"x": P, "y": Y},
    "maximum": {"x": X, "y": Y},
    "minimum": {"x": X, "y": Y},
    "greater": {"x": X, "y": Y},
    "greater_equal": {"x": X, "y": Y},
    "less": {"x": X, "y": Y},
    "less_equal": {"x": X, "y": Y},
    "equal": {"x": np.round(X), "y": np.round(Y)},
    "not_equal": {"x": np.round(X), "y": np.round(Y)},
    "logical_and": {"x": X > 0, "y": Y > 1},
    "logical_or": {"x": X > 0, "y": Y > 1},
    "logical_xor": {"x": X > 0, "y": Y > 1},
    "logical_not": {"x": X > 0},
    "select": {"cond": X > 0, "a": X, "b": P},
    "cast": {"x": X, "dtype": "int32"},
    "cast bool": {"x": np.round(X), "dtype": "bool"},
    "reduce_mean": {"x": X, "axes": _i(2, 3), "keep_dims": True},
    "reduce_sum": {"x": X, "axes": _i(-1), "keep_dims": False},
    "reduce_max": {"x": X, "axes": _i(1), "keep_dims": False},
    "reduce_min": {"x": X, "axes": _i(0, 2), "keep_dims": True},
    "reduce_prod": {"x": X, "axes": _i(2, -1), "keep_dims": False},
    "reduce_argmax": {"x": X, "axis": np.int32(1), "keep_dims": True},
    "reduce_argmin": {"x": X, "axis": np.int32(-1), "keep_dims": False},
    "cumsum": {"x": X, "axis": np.int32(1), "exclusive": False, "reverse": False},
    "cumsum reversed": {"x": X, "axis": np.int32(-1), "exclusive": False, "reverse": True},
    # Copies: coremltools changes constants in place, and then some are equal, whose order nobody promises.
    "topk": {"x": X.copy(), "k": np.int32(2), "axis": np.int32(2), "ascending": False},
    "topk ascending": {"x": X.copy(), "k": np.int32(3), "axis": np.int32(-1), "ascending": True},
    "reduce_l1_norm": {"x": X, "axes": _i(1), "keep_dims": True},
    "reduce_l2_norm": {"x": X, "axes": _i(1), "keep_dims": True},
    "reduce_log_sum_exp": {"x": X, "axes": _i(1), "keep_dims": True},
    "reduce_sum_square": {"x": X, "axes": _i(1), "keep_dims": True},
    "l2_norm": {"x": X},
    "linear": {"x": X, "weight": Y[:, 0], "bias": Y[:, 0, 0]},
    "matmul": {"x": X, "y": X, "transpose_x": False, "transpose_y": True},
    "matmul transposed": {"x": X, "y": X, "transpose_x": True, "transpose_y": False},
    "reshape": {"x": X, "shape": _i(0, -1, 12, 2)},
    "transpose": {"x": X, "perm": _i(0, -1, 1, 2)},
    "expand_dims": {"x": X, "axes": _i(0, -1)},
    "squeeze": {"x": X, "axes": _i(0)},
    "squeeze all": {"x": X},
    "concat": {"values": [X, P], "axis": np.int32(2)},
    "stack": {"values": [X, P], "axis": np.int32(1)},
    "split": {"x": X, "split_sizes": _i(1, 3, 2), "axis": np.int32(2)},
    "split evenly": {"x": X, "num_splits": np.int32(2), "axis": np.int32(1)},
    "slice_by_index": {"x": X, "begin": _i(0, 1, -5, 7), "end": _i(1, 3, -1, 0), "stride": _i(1, 1, 2, -3)},
    "slice_by_index masked": {
        "x": X,
        "begin": _i(0, 1, 2, 3),
        "end": _i(0, 3, 4, 4),
        "begin_mask": np.array([True, False, False, True]),
        "end_mask": np.array([True, False, True, False]),
        "squeeze_mask": np.array([False, True, False, False]),
    },
    "slice_by_size": {"x": X, "begin": _i(0, 1, -5, 3), "size": _i(-1, 2, 3, -1)},
    "pad": {"x": X, "pad": _i(0, 1, 2, 3), "mode": "constant", "constant_val": ONE},
    "pad reflect": {"x": X, "pad": _i(0, 1, 2, 3), "mode": "reflect"},
    "pad replicate": {"x": X, "pad": _i(0, 1, 2, 3), "mode": "replicate"},
    "tile": {"x": X, "reps": _i(1, 2, 1, 3)},
    "reverse": {"x": X, "axes": _i(1, 3)},
    "gather": {"x": X, "indices": _i(3, 0, -1), "axis": np.int32(1)},
    "gather grid": {"x": X, "indices": np.int32([[1, 2], [0, 1]]), "axis": np.int32(2)},
    "shape": {"x": X},
    "identity": {"x": X},
}
UNCHECKED = {
    # coremltools computes none of these from constants; they are compared with onnxruntime through the emitter, with
    # torch below, or with the documentation's examples.
    "avg_pool", "batch_norm", "clamped_relu", "conv", "conv_transpose", "crop", "dequantize", "depth_to_space",
    "instance_norm", "layer_norm", "max_pool", "pixel_shuffle", "pixel_unshuffle", "quantize", "resize_bilinear",
    "resize_nearest_neighbor", "silu", "space_to_depth", "upsample_bilinear", "upsample_nearest_neighbor",
}  # fmt: skip


def _tensor(value: Any) -> Any:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return torch.from_numpy(array.astype(np.int64) if array.dtype.kind == "i" else np.array(array))


def run(kind: str, **inputs: Any) -> Any:
    return RULES[kind](
        Inputs(
            {
                name: [_tensor(v) for v in (value if isinstance(value, list) else [value])]
                for name, value in inputs.items()
            }
        )
    )


@pytest.fixture(scope="module")
def by_coremltools() -> Callable[[str, dict[str, Any]], list[np.ndarray]]:
    ct = apple.coremltools()
    from coremltools.converters.mil import Builder

    def compute(kind: str, inputs: dict[str, Any]) -> list[np.ndarray]:
        expected: list[np.ndarray] = []

        @Builder.program(input_specs=[Builder.TensorSpec(shape=(1,))], opset_version=ct.target.iOS16)
        def _(x: Any) -> Any:
            constants = {
                name: tuple(Builder.const(val=v) for v in value) if isinstance(value, list) else value
                for name, value in inputs.items()
            }
            outputs = getattr(Builder, kind)(**constants)
            outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
            expected.extend(np.asarray(var.val) for var in outputs)
            return Builder.identity(x=x)

        return expected

    return compute


@pytest.mark.parametrize("name", VALUES)
def test_as_coremltools_computes_constants(name: str, by_coremltools: Callable[..., list[np.ndarray]]) -> None:
    kind = name.split(maxsplit=1)[0]
    expected = by_coremltools(kind, VALUES[name])
    result = run(kind, **VALUES[name])
    outputs = [value.numpy() for value in (result if isinstance(result, tuple) else (result,))]
    assert len(outputs) == len(expected)
    for ours, theirs in zip(outputs, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def test_every_rule_is_checked_somewhere() -> None:
    assert set(RULES) - {name.split()[0] for name in VALUES} == UNCHECKED


GRID = {
    # From coremltools' documentation of resize_bilinear, for two values at 0 and 1.
    ("UNALIGN_CORNERS", 5): [0, 0.1, 0.5, 0.9, 1],
    ("STRICT_ALIGN_CORNERS", 5): [0, 0.25, 0.5, 0.75, 1],
    ("ALIGN_CORNERS", 5): [0, 0.25, 0.5, 0.75, 1],
    ("DEFAULT", 5): [0, 0.4, 0.8, 1, 1],
    ("OFFSET_CORNERS", 5): [0.1, 0.3, 0.5, 0.7, 0.9],
    ("UNALIGN_CORNERS", 6): [0, 0, 1 / 3, 2 / 3, 1, 1],
    ("STRICT_ALIGN_CORNERS", 6): [0, 0.2, 0.4, 0.6, 0.8, 1],
    ("DEFAULT", 6): [0, 1 / 3, 2 / 3, 1, 1, 1],
    ("OFFSET_CORNERS", 6): [1 / 12, 3 / 12, 5 / 12, 7 / 12, 9 / 12, 11 / 12],
    ("ALIGN_CORNERS", 1): [0.5],
    ("STRICT_ALIGN_CORNERS", 1): [0],
}


@pytest.mark.parametrize(("mode", "after"), GRID)
def test_the_points_of_the_documentation(mode: str, after: int) -> None:
    np.testing.assert_allclose(_points(mode, 2, after).numpy(), GRID[mode, after], atol=1e-6)


def test_resizing_is_torchs() -> None:
    x = torch.from_numpy(X)
    for aligned in (False, True):
        expected = torch.nn.functional.interpolate(x, scale_factor=3, mode="bilinear", align_corners=aligned)
        scales = {f"scale_factor_{side}": np.float32(3) for side in ("height", "width")}
        torch.testing.assert_close(run("upsample_bilinear", x=X, align_corners=aligned, **scales), expected)
    sizes = {"target_size_height": _i(7), "target_size_width": _i(5)}
    expected = torch.nn.functional.interpolate(x, (7, 5), mode="nearest")
    torch.testing.assert_close(run("resize_nearest_neighbor", x=X, **sizes), expected)
    expected = torch.nn.functional.interpolate(x, (7, 5), mode="bilinear", align_corners=False)
    torch.testing.assert_close(run("resize_bilinear", x=X, sampling_mode="UNALIGN_CORNERS", **sizes), expected)


def test_shuffles_are_torchs() -> None:
    x = torch.from_numpy(X)
    torch.testing.assert_close(run("pixel_shuffle", x=X, upscale_factor=_i(2)), torch.pixel_shuffle(x, 2))
    torch.testing.assert_close(run("pixel_unshuffle", x=X, downscale_factor=_i(2)), torch.pixel_unshuffle(x, 2))
    deep = run("space_to_depth", x=X, block_size=_i(2))
    assert deep[0, 1, 0, 0] == X[0, 1, 0, 0], "TensorFlow puts the channels innermost"
    torch.testing.assert_close(run("depth_to_space", x=deep.numpy(), block_size=_i(2)), x)


def test_pools_round_up_and_pad_like_tensorflow() -> None:
    x = torch.from_numpy(X)
    window = {"kernel_sizes": _i(3, 3), "strides": _i(2, 2)}
    output = run("max_pool", x=X, pad_type="same", **window)
    assert output.shape == (1, 4, 3, 4)
    padded = torch.nn.functional.pad(x, (0, 1, 0, 1), value=-torch.inf)
    torch.testing.assert_close(output, torch.nn.functional.max_pool2d(padded, 3, 2))
    output = run("avg_pool", x=X, pad_type="valid", ceil_mode=True, **window)
    torch.testing.assert_close(output, torch.nn.functional.avg_pool2d(x, 3, 2, ceil_mode=True))
    lower = run("max_pool", x=X, pad_type="same_lower", **window)
    padded = torch.nn.functional.pad(x, (1, 0, 1, 0), value=-torch.inf)
    torch.testing.assert_close(lower, torch.nn.functional.max_pool2d(padded, 3, 2))


def test_transposed_convolutions_are_cut_and_filled() -> None:
    x, w = torch.from_numpy(X), torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.conv_transpose2d(x, w, None, 2, 1, 1)
    options = {"x": X, "weight": w.numpy(), "strides": _i(2, 2), "pad_type": "custom", "pad": _i(1, 1, 1, 1)}
    output = run("conv_transpose", output_shape=_i(1, 2, 12, 16), **options)
    torch.testing.assert_close(output, expected)
    with pytest.raises(ValueError, match="odd number"):
        run("conv_transpose", **{**options, "pad_type": "same"})


def test_small_functions_of_the_documentation() -> None:
    x = torch.from_numpy(X)
    torch.testing.assert_close(run("silu", x=X), torch.nn.functional.silu(x))
    clamped = run("clamped_relu", x=X, alpha=THIRD, beta=ONE)
    torch.testing.assert_close(clamped, torch.clamp(torch.where(x >= 0, x, x * 0.3), max=1.25))
    torch.testing.assert_close(run("crop", x=X, crop_height=_i(1, 2), crop_width=_i(0, 3)), x[:, :, 1:-2, :-3])


def test_integers_survive_being_quantized() -> None:
    parameters = {"scale": np.float32([0.1, 0.2, 0.3, 0.4]), "zero_point": _i(1, -2, 3, 0), "axis": _i(1)}
    whole = run("quantize", input=X, output_dtype="int8", **parameters)
    assert whole.dtype == torch.int64 and whole.min() >= -128 and whole.max() <= 127
    back = run("dequantize", input=whole.numpy().astype(np.int32), **parameters)
    assert (back - torch.from_numpy(X)).abs().max() <= 0.2 + 1e-6


def test_half_precision_is_rounded_and_shapes_are_checked() -> None:
    value = torch.tensor([1.0004, 70000.0, 1e-9])
    assert as_declared(value, Type("FLOAT16", (3,))).tolist() == [1.0, float("inf"), 0.0]
    assert as_declared(value, Type("FLOAT32", (None,))).tolist() == value.tolist()
    with pytest.raises(ValueError, match=r"its shape is \[3\], declared is \[4\]"):
        as_declared(value, Type("FLOAT16", (4,)))
