"""Activation statistics: the second moments of the values that one output of a layer is summed from, on real pictures.

They are, up to a factor, the Hessian of the layer's squared error by its weights, as in GPTQ.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant, is_weighted_mean
from pocketlens.errors import InputError
from pocketlens.images import Picture

MAX_COLUMNS = 576
"""The most values that are looked at together: the matrix of second moments has this many rows and columns."""
_MAX_POSITIONS = 2048
"""Output positions of a picture that are looked at, of all that there are."""
_MAX_FETCHED_BYTES = 128 << 20
"""Bytes of intermediate values fetched at a time."""
_SEED = 20260301


@dataclass(eq=False)
class HessianBlock:
    """Weights that are summed in one output, of every output channel, and the Hessian of their squared error.

    Attributes:
        places: Where they are in the weights: for each axis an integer array ``[outputs, columns]``.
        values: ``float64 [columns, columns]``, the mean product of the values that they multiply.
    """

    places: tuple[NDArray[np.intp], ...]
    values: NDArray[np.float64]


Hessian = list[HessianBlock]
"""Of one weight tensor; together the blocks hold every weight at most once."""


@dataclass(frozen=True, eq=False)
class _WeightedSum:
    """Which weights are summed, and how to read what they multiply.

    Attributes:
        places: As in :class:`HessianBlock`.
        offsets: For each column, the input channel, and the row and column relative to an output position.
        steps: Input rows and columns from one output position to the next.
        positions: The number of output positions down and across.
    """

    places: tuple[NDArray[np.intp], ...]
    offsets: NDArray[np.intp]
    steps: tuple[int, int]
    positions: tuple[int, int]


def collect_hessians(model: ir.Model, pictures: Sequence[Picture]) -> dict[str, Hessian]:
    """Play pictures and sum up what every layer with constant weights reads.

    Args:
        model: The graph; it is played in onnxruntime in float32.
        pictures: ``uint8 [H, W, 3]`` of its size; one at a time is in memory.

    Returns:
        Weight's name → its blocks. Weights of layers that are not understood here (one axis, groups of transposed
        convolutions, a computed right side) are left out.

    Raises:
        InputError: A value is not finite; the message names the layer that reads it.
    """
    layers = [(node, sums) for node in model.graph if (sums := list(_weighted_sums(node)))]
    hessians: dict[str, Hessian] = {}
    rng = np.random.default_rng(_SEED)
    from pocketlens.converters.quantization.simulate import feeds

    fed = list(feeds(model, pictures))
    for index, feed in enumerate(fed):
        for (node, sums), array in zip(layers, _layer_inputs(model, [node for node, _ in layers], feed), strict=True):
            if not np.isfinite(array).all():
                number = index * len(pictures) // len(fed) + 1
                raise InputError(
                    f"what {node.op_type} {node.name!r} reads is not finite on calibration picture {number}",
                    do="check the model on this picture; quantization needs finite values",
                )
            weight = node.inputs[1]
            assert weight is not None and weight.name is not None
            blocks = hessians.setdefault(weight.name, [])
            for i, weighted_sum in enumerate(sums):
                values = _multiplied_values(array, weighted_sum, rng)
                product = np.asarray(values.T @ values, np.float64) / (len(values) * len(fed))
                if len(blocks) <= i:
                    blocks.append(HessianBlock(weighted_sum.places, product))
                else:
                    blocks[i].values += product
    return hessians


def _layer_inputs(model: ir.Model, nodes: list[ir.Node], feed: hub.Feed) -> Iterator[NDArray[np.float32]]:
    """What each node reads, in order; a few are fetched at a time."""
    import onnxruntime as ort

    probe = model.clone()
    names = [str(node.inputs[0].name) for node in nodes if node.inputs[0] is not None]
    known = {v.name for v in (*probe.graph.inputs, *probe.graph.outputs)}
    computed = {v.name: v for node in probe.graph for v in node.outputs}
    probe.graph.outputs.extend(computed[name] for name in dict.fromkeys(names) if name not in known)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # they keep what one value needed
    session = ort.InferenceSession(ir.to_proto(probe).SerializeToString(), options, providers=["CPUExecutionProvider"])
    start = 0
    while start < len(nodes):
        end, size = start, 0
        while end < len(nodes) and (end == start or size < _MAX_FETCHED_BYTES):
            source = nodes[end].inputs[0]
            assert source is not None
            size += 4 * math.prod(hub.static_shape(source))
            end += 1
        wanted = [name for name in dict.fromkeys(names[start:end]) if name not in feed]
        fetched = dict(zip(wanted, session.run(wanted, feed), strict=True)) if wanted else {}
        yield from (feed[name] if name in feed else fetched[name] for name in names[start:end])
        start = end


def _multiplied_values(
    array: NDArray[np.float32], weighted_sum: _WeightedSum, rng: np.random.Generator
) -> NDArray[np.float32]:
    """``[positions, columns]``: what the weights of a sum multiply, at some of the output positions."""
    channels, rows, columns = (weighted_sum.offsets[:, k] for k in range(3))
    down, across = weighted_sum.positions
    chosen = np.arange(down * across)
    if chosen.size > _MAX_POSITIONS:
        chosen = rng.choice(chosen, _MAX_POSITIONS, replace=False)
    i, j = np.divmod(chosen, across)
    y, x = i[:, None] * weighted_sum.steps[0] + rows, j[:, None] * weighted_sum.steps[1] + columns
    if array.ndim != 4:  # a matrix product: each row is a position
        return np.asarray(array.reshape(-1, array.shape[-1])[i][:, channels], np.float32)
    height, width = int(array.shape[2]), int(array.shape[3])
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    clipped = array[0, channels, y.clip(0, height - 1), x.clip(0, width - 1)]
    return np.where(inside, clipped, np.float32(0))


def _weighted_sums(node: ir.Node) -> Iterator[_WeightedSum]:
    if node.op_type not in hub.WEIGHTED_OPERATORS or len(node.inputs) < 2 or is_weighted_mean(node):
        return
    source, weight = node.inputs[0], node.inputs[1]
    if source is None or weight is None or hub.initializer(weight) is None or constant(source) is not None:
        return
    shape, out = hub.static_shape(weight), hub.static_shape(node.outputs[0])
    if node.op_type in ("Gemm", "MatMul"):
        if len(shape) == 2 and not hub.integer(node, "transA", 0):
            yield from _matrix_sums(node, shape, hub.static_shape(source))
    elif len(shape) == 4 and hub.static_shape(source)[0] == 1:
        yield from (_conv_sums if node.op_type == "Conv" else _transposed_conv_sums)(
            node, shape, hub.static_shape(source), out
        )


def _matrix_sums(node: ir.Node, shape: tuple[int, ...], source: tuple[int, ...]) -> Iterator[_WeightedSum]:
    flipped = node.op_type == "Gemm" and hub.integer(node, "transB", 0)
    outs, ins = shape if flipped else shape[::-1]
    for chosen in np.array_split(np.arange(ins), -(-ins // MAX_COLUMNS)):
        grid = np.meshgrid(np.arange(outs), chosen, indexing="ij")
        offsets = np.stack([chosen, 0 * chosen, 0 * chosen], 1)
        yield _WeightedSum(tuple(grid if flipped else grid[::-1]), offsets, (1, 1), (math.prod(source[:-1]), 1))


def _pads_before(node: ir.Node, total: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of padding before, whatever way the node says it; ``total`` is what must be padded or cut."""
    mode = hub.text(node, "auto_pad", "NOTSET")
    if mode == "VALID":
        return 0, 0
    if mode.startswith("SAME") or "output_shape" in node.attributes:
        first = mode == "SAME_UPPER"
        down, right = (max(n, 0) // 2 if first else max(n, 0) - max(n, 0) // 2 for n in total)
        return down, right
    pads = hub.ints(node, "pads", (0, 0, 0, 0))
    return pads[0], pads[1]


def _conv_sums(
    node: ir.Node, shape: tuple[int, ...], source: tuple[int, ...], out: tuple[int, ...]
) -> Iterator[_WeightedSum]:
    outs, depth, height, width = shape
    groups, strides = hub.integer(node, "group", 1), hub.ints(node, "strides", (1, 1))
    dilations = hub.ints(node, "dilations", (1, 1))
    total = [(out[i + 2] - 1) * strides[i] + (shape[i + 2] - 1) * dilations[i] + 1 - source[i + 2] for i in (0, 1)]
    top, left = _pads_before(node, (total[0], total[1]))
    each = outs // groups
    for group in range(groups):
        for channels in np.array_split(np.arange(depth), -(-depth * height * width // MAX_COLUMNS)):
            c, y, x = (g.reshape(-1) for g in np.meshgrid(channels, range(height), range(width), indexing="ij"))
            rows = np.arange(group * each, (group + 1) * each)
            places = tuple(np.broadcast_arrays(rows[:, None], c[None], y[None], x[None]))
            offsets = np.stack([c + group * depth, y * dilations[0] - top, x * dilations[1] - left], 1)
            yield _WeightedSum(places, offsets, (strides[0], strides[1]), (out[2], out[3]))


def _transposed_conv_sums(
    node: ir.Node, shape: tuple[int, ...], source: tuple[int, ...], out: tuple[int, ...]
) -> Iterator[_WeightedSum]:
    """One sum for each phase of the stride: row ``s * q + p`` of the output takes every ``s``-th row of the kernel."""
    ins, outs, height, width = shape
    if hub.integer(node, "group", 1) != 1 or hub.ints(node, "dilations", (1, 1)) != (1, 1):
        return
    strides, extra = hub.ints(node, "strides", (1, 1)), hub.ints(node, "output_padding", (0, 0))
    total = [strides[i] * (source[i + 2] - 1) + extra[i] + shape[i + 2] - out[i + 2] for i in (0, 1)]
    before = _pads_before(node, (total[0], total[1]))
    for phase in np.ndindex(strides[0], strides[1]):
        taps = [
            [k for k in range(n) if (phase[i] + before[i] - k) % strides[i] == 0] for i, n in enumerate((height, width))
        ]
        count = len(taps[0]) * len(taps[1])
        if not count:
            continue
        for channels in np.array_split(np.arange(ins), -(-ins * count // MAX_COLUMNS)):
            c, y, x = (g.reshape(-1) for g in np.meshgrid(channels, *taps, indexing="ij"))
            places = tuple(np.broadcast_arrays(c[None], np.arange(outs)[:, None], y[None], x[None]))
            offsets = np.stack(
                [c, (phase[0] + before[0] - y) // strides[0], (phase[1] + before[1] - x) // strides[1]], 1
            )
            positions = tuple(-(-(out[i + 2] - phase[i]) // strides[i]) for i in (0, 1))
            yield _WeightedSum(places, offsets, (1, 1), (positions[0], positions[1]))
