"""What cannot be expressed is refused, with its reason and without coremltools."""

import pytest

from pocketlens.converters import coreml
from tests.bands import Case, banded, floats, ints, weights

_S = {"scales": floats(1, 1, 1, 1)}


REFUSED = {
    "coordinates": (
        Case('y = Resize <coordinate_transformation_mode = "half_pixel_symmetric"> (x, , scales)', _S),
        "'half_pixel_symmetric'",
    ),
    "a crop": (
        Case(
            'y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize"> (x, roi, scales)',
            {**_S, "roi": floats(0, 0, 0.25, 0.25, 1, 1, 0.75, 0.75)},
        ),
        "'tf_crop_and_resize'",
    ),
    "wrap": (
        Case(
            'z = Pad <mode = "wrap"> (x, p)\ny = Slice(z, s, e, a)',
            {"p": ints(0, 0, 1, 0, 0, 0, 0, 0), "s": ints(0), "e": ints(12), "a": ints(2)},
        ),
        "'wrap'",
    ),
    "reflected along three axes": (
        Case(
            'z = Pad <mode = "reflect"> (x, p)\ny = Slice(z, s, e, a)',
            {"p": ints(0, 1, 1, 1, 0, 0, 0, 0), "s": ints(0, 0, 0), "e": ints(3, 12, 16), "a": ints(1, 2, 3)},
        ),
        "more than 2 axes",
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
        Case("i = Cast <to = 6> (x)\nn = Neg(i)\nf = Cast <to = 1> (n)\ny = Relu(f)"),
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
