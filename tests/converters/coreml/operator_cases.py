"""What generators compute with, as cases for :mod:`tests.bands`: every operator, in every convention that they use."""

import numpy as np

from tests.bands import Case, floats, ints, weights

_NUMBERS = {
    "half": np.float32(0.5),
    "two": np.float32(2),
    "three": floats(3),
    "slopes": floats(0.1, -0.4, 0.8).reshape(3, 1, 1),
    "low_bound": np.float32(-0.75),
    "lowest": np.array(np.finfo(np.float32).min),
    "highest": np.array(np.finfo(np.float32).max),
    "other": weights(1, 3, 12, 16, scale=10),
    "channel": floats(0.5, 1.5, 2.5).reshape(3, 1, 1),
    "row": weights(16),
    "last": ints(3),
    "whole": ints(1, 3, 12, 16),
}


def _cases(nodes: dict[str, str], **constants: np.ndarray) -> dict[str, Case]:
    return {name: Case(text, constants) for name, text in nodes.items()}


STEPS = _cases(
    {
        "Ceil": "y = Ceil(x)",
        "Floor": "y = Floor(x)",
        "Round": "y = Round(x)",
        "Sign": "y = Sign(x)",
        "ThresholdedRelu": "y = ThresholdedRelu <alpha = 0.4> (x)",
    }
)
"""Functions that jump: in fp16 a value beside the jump may land on its other side."""

UNARY = _cases(
    {
        "Abs": "y = Abs(x)",
        "Relu": "y = Relu(x)",
        "Tanh": "y = Tanh(x)",
        "Sigmoid": "y = Sigmoid(x)",
        "Softplus": "y = Softplus(x)",
        "Softsign": "y = Softsign(x)",
        "Exp": "n = Neg(x)\ny = Exp(n)",
        "Log": "p = Abs(x)\nq = Add(p, half)\ny = Log(q)",
        "Sqrt": "p = Abs(x)\ny = Sqrt(p)",
        "Reciprocal": "p = Abs(x)\nq = Add(p, half)\ny = Reciprocal(q)",
        "Erf": "y = Erf(x)",
        "HardSwish": "y = HardSwish(x)",
        "HardSigmoid": "y = HardSigmoid <alpha = 0.3, beta = 0.4> (x)",
        "Mish": "y = Mish(x)",
        "LeakyRelu": "y = LeakyRelu <alpha = 0.2> (x)",
        "LeakyRelu, default": "y = LeakyRelu(x)",
        "Elu": "y = Elu <alpha = 0.7> (x)",
        "Gelu": "y = Gelu(x)",
        "Gelu, tanh": 'y = Gelu <approximate = "tanh"> (x)',
        "PRelu, a slope a channel": "y = PRelu(x, slopes)",
        "PRelu, one slope": "y = PRelu(x, half)",
        "Clip": "y = Clip(x, low_bound, half)",
        "Clip, low": "y = Clip(x, low_bound)",
        "Clip, high": "y = Clip(x, , half)",
        "Clip, no bounds": "y = Clip(x, lowest, highest)",
        "Softmax": "y = Softmax <axis = 1> (x)",
        "Identity": "y = Identity(x)",
        "Dropout": "y = Dropout(x)",
        "Sin": "y = Sin(x)",
        "Cos": "y = Cos(x)",
    },
    **_NUMBERS,
)

BINARY = _cases(
    {
        "Add": "y = Add(x, other)",
        "Sub": "y = Sub(other, x)",
        "Mul, a channel": "y = Mul(x, channel)",
        "Mul, a row": "y = Mul(row, x)",
        "Div": "y = Div(x, channel)",
        "Div by what is computed": "p = Abs(x)\nq = Add(p, channel)\ny = Div(channel, q)",
        "Min": "y = Min(x, other, channel)",
        "Max": "y = Max(x, channel)",
        "Sum": "y = Sum(x, other, x)",
        "Min of one": "y = Min(x)",
        "Pow 2": "y = Pow(x, two)",
        "Pow 3": "y = Pow(x, three)",
        "Pow 1/2": "p = Abs(x)\ny = Pow(p, half)",
        "Pow": "p = Abs(x)\ny = Pow(p, channel)",
        "Neg": "y = Neg(x)",
        "Expand": "m = ReduceMean(x, last)\ne = Expand(m, whole)\ny = Add(e, x)",
    },
    **_NUMBERS,
)

_CHOSEN = {
    "Where": "g = Greater(x, half)\ny = Where(g, x, other)",
    "Where, of less": "g = LessOrEqual(x, half)\ny = Where(g, channel, two)",
    "Not": "g = GreaterOrEqual(x, half)\nn = Not(g)\ny = Where(n, x, other)",
    "And": "g = Greater(x, low_bound)\nl = Less(x, half)\nb = And(g, l)\ny = Where(b, x, other)",
    "Or": "g = Greater(x, half)\nl = Less(x, low_bound)\nb = Or(g, l)\ny = Where(b, x, other)",
    "Xor": "g = Greater(x, low_bound)\nl = Greater(x, half)\nb = Xor(g, l)\ny = Where(b, x, other)",
    "Cast": "g = Greater(x, low_bound)\nf = Cast <to = 1> (g)\nb = Cast <to = 9> (f)\ny = Where(b, x, other)",
    "Equal": "r = Relu(x)\ne = Equal(x, r)\ny = Where(e, x, other)",
}
STEPS |= _cases(_CHOSEN, **_NUMBERS)

CONV = {
    "plain": Case("y = Conv <pads = [1, 1, 1, 1]> (x, w, b)", {"w": weights(3, 3, 3, 3), "b": weights(3)}),
    "uneven pads": Case("y = Conv <pads = [0, 1, 2, 3]> (x, w)", {"w": weights(3, 3, 3, 5)}),
    "dilated": Case("y = Conv <pads = [2, 2, 2, 2], dilations = [2, 2]> (x, w)", {"w": weights(3, 3, 3, 3)}),
    "depthwise": Case("y = Conv <pads = [1, 1, 1, 1], group = 3> (x, w)", {"w": weights(3, 1, 3, 3)}),
    "grouped": Case(
        "m = Conv(x, v)\ny = Conv <group = 3> (m, w)", {"v": weights(6, 3, 1, 1), "w": weights(3, 2, 1, 1)}
    ),
    "same upper": Case('y = Conv <auto_pad = "SAME_UPPER"> (x, w)', {"w": weights(3, 3, 4, 4)}),
    "same lower": Case('y = Conv <auto_pad = "SAME_LOWER"> (x, w)', {"w": weights(3, 3, 4, 4)}),
    "valid": Case('z = Conv <auto_pad = "VALID"> (x, w)\ny = ConvTranspose(z, w)', {"w": weights(3, 3, 3, 3)}),
}

_DOWN = "m = Conv <pads = [0, 0, 1, 1], strides = [2, 2]> (x, v)\n"


def _up(attributes: str, *kernel: int) -> Case:
    constants = {"v": weights(4, 3, 3, 3), "w": weights(4, 3, *kernel, scale=2), "b": floats(0.5, -0.5, 1)}
    return Case(f"{_DOWN}y = ConvTranspose <{attributes}> (m, w, b)", constants)


TRANSPOSED = {
    "plain": _up("strides = [2, 2]", 2, 2),
    "cropped at the end": _up("strides = [2, 2], pads = [0, 0, 1, 1]", 3, 3),
    "cropped at the start": _up("strides = [2, 2], pads = [1, 1, 0, 0]", 3, 3),
    "cropped evenly": _up("strides = [2, 2], pads = [1, 1, 1, 1]", 4, 4),
    "cropped unevenly": _up("strides = [2, 2], pads = [1, 2, 2, 1]", 5, 5),
    "output padding": _up("strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]", 3, 3),
    "output padding past the end": _up("strides = [2, 2], pads = [1, 1, 0, 0], output_padding = [1, 1]", 2, 2),
    "same upper": _up('strides = [2, 2], auto_pad = "SAME_UPPER"', 3, 3),
    "same lower": _up('strides = [2, 2], auto_pad = "SAME_LOWER"', 3, 3),
    "output shape": _up("strides = [2, 2], output_shape = [12, 16]", 5, 5),
    "dilated": _up("strides = [2, 2], dilations = [2, 1], pads = [1, 1, 2, 0]", 3, 3),
    "grouped": Case(
        f"{_DOWN}u = ConvTranspose <strides = [2, 2], group = 2> (m, w)\ny = Conv(u, t)",
        {"v": weights(4, 3, 3, 3), "w": weights(4, 3, 2, 2, scale=2), "t": weights(3, 6, 1, 1)},
    ),
}

NORM = {
    "batch": Case(
        "y = BatchNormalization(x, g, b, mean, variance)",
        {"g": floats(1, 2, 3), "b": floats(0, 1, -1), "mean": floats(0.3, -0.2, 0), "variance": floats(0.5, 1, 4)},
    ),
    "instance": Case(
        "y = InstanceNormalization <epsilon = 0.001> (x, g, b)", {"g": floats(1, 2, 3), "b": floats(0, 1, -1)}
    ),
    "group": Case(
        """m = Conv(x, v)
        flat = Reshape(m, grouped)
        n = InstanceNormalization(flat, one, zero)
        back = Reshape(n, whole)
        z = Mul(back, g)
        y = Conv(z, w)""",
        {
            "v": weights(4, 3, 1, 1),
            "grouped": ints(0, 2, -1),
            "one": floats(1, 1),
            "zero": floats(0, 0),
            "whole": ints(1, 4, 12, 16),
            "g": floats(1, 2, 3, 4).reshape(4, 1, 1),
            "w": weights(3, 4, 1, 1),
        },
    ),
    "layer": Case("y = LayerNormalization <axis = -2> (x, g, b)", {"g": 1 + weights(12, 16), "b": weights(12, 16)}),
    "layer without bias": Case("y = LayerNormalization <axis = 1> (x, g)", {"g": 1 + weights(3, 12, 16)}),
}

_PADS = {"p": ints(0, 0, 2, 3, 0, 0, 1, 4), "s": ints(1, 2), "e": ints(13, 18), "a": ints(2, 3), "one": np.float32(1.5)}
_BLOCKS = {"v": weights(12, 3, 2, 2), "w": weights(12, 3, 2, 2, scale=3), "whole": ints(1, 3, 12, 16)}
_ONE_CHANNEL = {"p": ints(0, 1, 0, 0, 0, 0, 0, 0), "s": ints(0), "e": ints(3), "a": ints(1)}
_ENDS = {"s": ints(-12), "e": ints(-7), "a": ints(-2), "s2": ints(5), "e2": ints(100)}
MOVES = {
    "reflect": Case('z = Pad <mode = "reflect"> (x, p)\ny = Slice(z, s, e, a)', _PADS),
    "edge": Case('z = Pad <mode = "edge"> (x, p)\ny = Slice(z, s, e, a)', _PADS),
    "constant": Case("z = Pad(x, p, one)\ny = Slice(z, s, e, a)", _PADS),
    "pads of some axes": Case(
        "z = Pad(x, p, , pa)\ny = Slice(z, s, e, a)", {**_PADS, "p": ints(2, 3, 1, 4), "pa": ints(2, -1)}
    ),
    "pads of channels": Case("z = Pad(x, p)\ny = Slice(z, s, e, a)", _ONE_CHANNEL),
    "slice with steps": Case(
        "z = Slice(x, s, e, a, st)\ny = Concat <axis = -1> (z, z)",
        {"s": ints(1), "e": ints(2**40), "a": ints(3), "st": ints(2)},
    ),
    "slice backwards": Case(
        "y = Slice(x, s, e, a, st)", {"s": ints(-1), "e": ints(-100), "a": ints(3), "st": ints(-1)}
    ),
    "slice back by steps": Case(
        "z = Slice(x, s, e, a, st)\ny = Concat <axis = 2> (z, z)",
        {"s": ints(10, -1), "e": ints(-(2**40), -(2**40)), "a": ints(2, 3), "st": ints(-2, -1)},
    ),
    "slice from the end": Case("q = Slice(x, s, e, a)\nr = Slice(x, s2, e2, a)\ny = Concat <axis = 2> (r, q)", _ENDS),
    "split": Case("q, r = Split <axis = 3> (x, sizes)\ny = Concat <axis = 3> (r, q)", {"sizes": ints(5, 11)}),
    "split evenly": Case("q, r = Split <axis = 2, num_outputs = 2> (x)\ny = Concat <axis = 2> (r, q)"),
    "split once": Case("y = Split <axis = 1, num_outputs = 1> (x)"),
    "CRD": Case('m = Conv <strides = [2, 2]> (x, v)\ny = DepthToSpace <blocksize = 2, mode = "CRD"> (m)', _BLOCKS),
    "DCR": Case('m = Conv <strides = [2, 2]> (x, v)\ny = DepthToSpace <blocksize = 2, mode = "DCR"> (m)', _BLOCKS),
    "SpaceToDepth": Case("m = SpaceToDepth <blocksize = 2> (x)\ny = ConvTranspose <strides = [2, 2]> (m, w)", _BLOCKS),
    "transpose": Case("m = Transpose <perm = [0, 1, 3, 2]> (x)\ny = Reshape(m, whole)", _BLOCKS),
    "transpose, no order": Case("m = Transpose(x)\ny = Reshape(m, whole)", _BLOCKS),
    "six axes": Case(
        "r = Reshape(x, six)\nt = Transpose <perm = [0, 1, 3, 2, 5, 4]> (r)\ny = Reshape(t, whole)",
        {"six": ints(1, 3, 6, 2, 8, 2), "whole": ints(1, 3, 12, 16)},
    ),
    "flatten": Case("m = Flatten <axis = 2> (x)\ny = Reshape(m, whole)", _BLOCKS),
    "squeeze": Case("m = Squeeze(x, zero)\nn = Unsqueeze(m, zero)\ny = Relu(n)", {"zero": ints(0)}),
    "gather": Case("y = Gather <axis = 1> (x, order)", {"order": ints(2, -2, 0)}),
    "gather one": Case(
        "m = Gather <axis = 2> (x, place)\nn = Unsqueeze(m, two)\ny = Mul(x, n)",
        {"place": np.array(4, np.int64), "two": ints(2)},
    ),
}

_FACTORS = 'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"'
REDUCED = _cases(
    {
        "ReduceMean": "r = ReduceMean(x, spatial)\ny = Sub(x, r)",
        "ReduceMean, no axes": "r = ReduceMean(x)\ny = Sub(x, r)",
        "ReduceMean, axes dropped": "r = ReduceMean <keepdims = 0> (x, one)\nu = Unsqueeze(r, one)\ny = Sub(x, u)",
        "ReduceSum": "r = ReduceSum(x, one)\ny = Mul(x, r)",
        "ReduceMax": "r = ReduceMax(x, spatial)\ny = Sub(x, r)",
        "ReduceMin": "r = ReduceMin(x, one)\ny = Sub(x, r)",
        "ReduceSum of nothing": "r = ReduceSum <noop_with_empty_axes = 1> (x)\ny = Relu(r)",
        "GlobalAveragePool": "r = GlobalAveragePool(x)\ny = Sub(x, r)",
        "GlobalMaxPool": "r = GlobalMaxPool(x)\ny = Sub(x, r)",
        "MaxPool": "y = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)",
        "MaxPool, uneven pads": "y = MaxPool <kernel_shape = [2, 4], pads = [1, 1, 0, 2]> (x)",
        "MaxPool, same": 'y = MaxPool <kernel_shape = [2, 2], auto_pad = "SAME_UPPER"> (x)',
        "AveragePool": "y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)",
        "AveragePool, padding counts": (
            "y = AveragePool <kernel_shape = [2, 3], pads = [0, 1, 1, 1], count_include_pad = 1> (x)"
        ),
        "AveragePool, stride": (
            "p = AveragePool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x)\n"
            f"y = Resize <{_FACTORS}> (p, , scales)"
        ),
    },
    spatial=ints(2, -1),
    one=ints(1),
    scales=floats(1, 1, 2, 2),
)

LINEAR = {
    "MatMul": Case("y = MatMul(x, w)", {"w": weights(16, 16)}),
    "MatMul of two": Case(
        "t = Transpose <perm = [0, 1, 3, 2]> (x)\nm = MatMul(x, t)\ny = MatMul(m, w)", {"w": weights(12, 16, scale=0.3)}
    ),
    "Gemm": Case(
        "f = Reshape(x, rows)\ng = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (f, w, b)\ny = Reshape(g, whole)",
        {"rows": ints(36, 16), "w": weights(16, 16), "b": weights(16), "whole": ints(1, 3, 12, 16)},
    ),
    "Gemm, transposed": Case(
        "f = Reshape(x, rows)\ng = Gemm <transA = 1> (f, w)\nt = Transpose(g)\ny = Reshape(t, whole)",
        {"rows": ints(16, 36), "w": weights(16, 16), "whole": ints(1, 3, 12, 16)},
    ),
}


def _factors(attributes: str, down: int = 2, right: int = 2) -> Case:
    constants = {"v": weights(3, 3, 1, 1), "scales": floats(1, 1, down, right)}
    return Case(f"m = Conv <strides = [{down}, {right}]> (x, v)\ny = Resize <{attributes}> (m, , scales)", constants)


def _sizes(attributes: str) -> Case:
    constants = {"small": ints(1, 3, 5, 9), "whole": ints(1, 3, 12, 16)}
    return Case(f"m = Resize <{attributes}> (x, , , small)\ny = Resize <{attributes}> (m, , , whole)", constants)


_COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
RESIZE = {
    "nearest, asymmetric": _factors(_FACTORS),
    "nearest, half pixel": _factors('mode = "nearest"'),
    "nearest, 3 and 4": _factors('nearest_mode = "round_prefer_ceil"', 3, 4),
    "nearest, ceil": _factors('nearest_mode = "ceil", coordinate_transformation_mode = "asymmetric"'),
    **{
        f"{mode}, {coordinates}{name}": make(f'mode = "{mode}", coordinate_transformation_mode = "{coordinates}"')
        for mode in ("nearest", "linear")
        for coordinates in _COORDINATES
        for name, make in ((", factors", _factors), (", sizes", _sizes))
    },
    "cubic": _factors('mode = "cubic"'),
    "cubic, corners": _sizes('mode = "cubic", coordinate_transformation_mode = "align_corners", cubic_coeff_a = -0.5'),
    "cubic, inside": _factors('mode = "cubic", exclude_outside = 1'),
    "linear, smoothed": Case(
        'm = Resize <mode = "linear", antialias = 1> (x, , down)\ny = Resize <mode = "linear"> (m, , , whole)',
        {"down": floats(1, 1, 0.55, 0.5), "whole": ints(1, 3, 12, 16)},
    ),
    "down and up": Case(
        f"m = Resize <{_FACTORS}> (x, , down)\ny = Resize <{_FACTORS}> (m, , up)",
        {"down": floats(1, 1, 0.5, 0.25), "up": floats(1, 1, 2, 4)},
    ),
}

FAMILIES: dict[str, dict[str, Case]] = {
    "steps": STEPS,
    "unary": UNARY,
    "binary": BINARY,
    "conv": CONV,
    "transposed": TRANSPOSED,
    "norm": NORM,
    "moves": MOVES,
    "reduced": REDUCED,
    "linear": LINEAR,
    "resize": RESIZE,
}
