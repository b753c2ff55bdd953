"""Operations that move values about without computing."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pocketlens.runtimes.mil.rules.registry import Inputs, rule


@rule("reshape")
def reshape(inputs: Inputs) -> Tensor:
    """To a shape; 0 keeps an axis, -1 is computed from the other axes."""
    x = inputs["x"]
    return x.reshape([x.shape[axis] if d == 0 else d for axis, d in enumerate(inputs.ints("shape"))])


@rule("transpose")
def transpose(inputs: Inputs) -> Tensor:
    """Axes in another order."""
    return inputs["x"].permute(inputs.ints("perm"))


@rule("expand_dims")
def expand_dims(inputs: Inputs) -> Tensor:
    """New axes of length 1, counted in the result."""
    x, axes = inputs["x"], inputs.ints("axes")
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


@rule("squeeze")
def squeeze(inputs: Inputs) -> Tensor:
    """Without some axes, or any axes, of length 1."""
    x = inputs["x"]
    return x.squeeze(inputs.ints("axes")) if "axes" in inputs else x.squeeze()


@rule("concat")
def concat(inputs: Inputs) -> Tensor:
    """One after the other, or interleaved."""
    values, axis = inputs.many("values"), inputs.integer("axis")
    if not inputs.flag("interleave", False):
        return torch.cat(values, axis)
    axis %= values[0].ndim
    shape = list(values[0].shape)
    shape[axis] *= len(values)
    return torch.stack(values, axis + 1).reshape(shape)


@rule("stack")
def stack(inputs: Inputs) -> Tensor:
    """Along a new axis."""
    return torch.stack(inputs.many("values"), inputs.integer("axis"))


@rule("split")
def split(inputs: Inputs) -> tuple[Tensor, ...]:
    """Into ``split_sizes``, or evenly."""
    x, axis = inputs["x"], inputs.integer("axis")
    if "split_sizes" in inputs:
        return tuple(torch.split(x, inputs.ints("split_sizes"), axis))
    return tuple(torch.chunk(x, inputs.integer("num_splits"), axis))


@rule("slice_by_index")
def slice_by_index(inputs: Inputs) -> Tensor:
    """As numpy slices; a masked begin or end is that of the axis, a squeezed axis is one index."""
    x = inputs["x"]
    begin, end = inputs.ints("begin"), inputs.ints("end")
    stride = inputs.ints("stride", [1] * x.ndim)
    masks = [inputs.flags(f"{name}_mask", x.ndim) for name in ("begin", "end", "squeeze")]
    chosen = tuple(
        begin[axis]
        if masks[2][axis]
        else slice(
            None if masks[0][axis] else begin[axis],
            None if masks[1][axis] else end[axis],
            stride[axis],
        )
        for axis in range(x.ndim)
    )
    # numpy, because torch has no negative strides.
    return torch.from_numpy(np.ascontiguousarray(x.numpy()[chosen]))


@rule("slice_by_size")
def slice_by_size(inputs: Inputs) -> Tensor:
    """From a begin, by a size; -1 is the rest."""
    x = inputs["x"]
    for axis, (begin, size) in enumerate(zip(inputs.ints("begin"), inputs.ints("size"), strict=True)):
        start = begin % x.shape[axis] if begin < 0 else begin
        x = x.narrow(axis, start, x.shape[axis] - start if size == -1 else size)
    return x


@rule("crop")
def crop(inputs: Inputs) -> Tensor:
    """Rows and columns off each side."""
    x = inputs["x"]
    (top, bottom), (left, right) = inputs.ints("crop_height"), inputs.ints("crop_width")
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


@rule("pad")
def pad(inputs: Inputs) -> Tensor:
    """The last axes by pairs of numbers: with a constant, by reflection, or by the edge."""
    x, mode = inputs["x"], inputs.text("mode", "constant")
    pairs = inputs.ints("pad")
    flat = [p for before in range(len(pairs) - 2, -1, -2) for p in (pairs[before], pairs[before + 1])]
    if mode == "constant":
        y: Tensor = F.pad(x, flat, value=inputs.number("constant_val", 0.0))
        return y
    widths = [(0, 0)] * (x.ndim - len(pairs) // 2) + list(zip(pairs[::2], pairs[1::2], strict=True))
    if mode in ("reflect", "replicate"):
        return torch.from_numpy(np.pad(x.numpy(), np.array(widths), mode="reflect" if mode == "reflect" else "edge"))
    raise ValueError(f"mode {mode!r} is not known")


@rule("tile")
def tile(inputs: Inputs) -> Tensor:
    """Repeated along each axis."""
    return inputs["x"].repeat(inputs.ints("reps"))


@rule("reverse")
def reverse(inputs: Inputs) -> Tensor:
    """Back to front along some axes, or all."""
    x = inputs["x"]
    return torch.flip(x, inputs.ints("axes", list(range(x.ndim))))


@rule("gather")
def gather(inputs: Inputs) -> Tensor:
    """The places that the indices name along an axis; the indices' axes take its place."""
    x, indices = inputs["x"], inputs["indices"]
    if inputs.integer("batch_dims", 0):
        raise ValueError("batch_dims is not supported")
    axis = inputs.integer("axis", 0) % x.ndim
    flat = indices.reshape(-1)
    gathered = x.index_select(axis, torch.where(flat < 0, flat + x.shape[axis], flat))
    return gathered.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


@rule("shape")
def shape(inputs: Inputs) -> Tensor:
    """The length of each axis."""
    return torch.tensor(inputs["x"].shape)


@rule("pixel_shuffle")
def pixel_shuffle(inputs: Inputs) -> Tensor:
    """Channels ``[C, block, block]`` to pixels, as torch does."""
    block = inputs.integer("upscale_factor")
    n, c, h, w = inputs["x"].shape
    split_up = inputs["x"].reshape(n, c // block**2, block, block, h, w)
    return split_up.permute(0, 1, 4, 2, 5, 3).reshape(n, c // block**2, h * block, w * block)


@rule("pixel_unshuffle")
def pixel_unshuffle(inputs: Inputs) -> Tensor:
    """Pixels to channels ``[C, block, block]``, as torch does."""
    block = inputs.integer("downscale_factor")
    n, c, h, w = inputs["x"].shape
    split_up = inputs["x"].reshape(n, c, h // block, block, w // block, block)
    return split_up.permute(0, 1, 3, 5, 2, 4).reshape(n, c * block**2, h // block, w // block)


@rule("depth_to_space")
def depth_to_space(inputs: Inputs) -> Tensor:
    """Channels ``[block, block, C]`` to pixels, as TensorFlow does."""
    block = inputs.integer("block_size")
    n, c, h, w = inputs["x"].shape
    split_up = inputs["x"].reshape(n, block, block, c // block**2, h, w)
    return split_up.permute(0, 3, 4, 1, 5, 2).reshape(n, c // block**2, h * block, w * block)


@rule("space_to_depth")
def space_to_depth(inputs: Inputs) -> Tensor:
    """Pixels to channels ``[block, block, C]``, as TensorFlow does."""
    block = inputs.integer("block_size")
    n, c, h, w = inputs["x"].shape
    split_up = inputs["x"].reshape(n, c, h // block, block, w // block, block)
    return split_up.permute(0, 3, 5, 1, 2, 4).reshape(n, c * block**2, h // block, w // block)
