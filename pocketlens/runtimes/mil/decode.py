"""Compressed weights back to dense ones: quantized, palettized, sparse, and their combinations.

Written from the documentation of coremltools' ``constexpr_*`` operations (iOS 16 and iOS 18 forms), so that what
coremltools packs is not unpacked by coremltools itself.
"""

from collections.abc import Callable, Mapping

import numpy as np

from pocketlens.runtimes.mil.values import Array, Constant, unpack

Arguments = Mapping[str, Constant]


def _array(arguments: Arguments, name: str) -> Array:
    value = arguments[name]
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} is text, expected numbers")
    return value


def _shape(arguments: Arguments) -> tuple[int, ...]:
    return tuple(int(d) for d in _array(arguments, "shape"))


def _along(vector: Array, axis: int, rank: int) -> Array:
    """A vector that is broadcast along an axis; a scalar stays one."""
    if vector.ndim == 0:
        return vector
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def _affine(arguments: Arguments) -> tuple[Array, ...]:
    data, axis = _array(arguments, "quantized_data"), int(_array(arguments, "axis"))
    zero = _along(_array(arguments, "zero_point").astype(np.float32), axis, data.ndim)
    scale = _along(_array(arguments, "scale").astype(np.float32), axis, data.ndim)
    return (scale * (data.astype(np.float32) - zero),)


def _spread(blocks: Array, shape: tuple[int, ...]) -> Array:
    """Repeat each element over its block, so that the result has this shape."""
    for axis, length in enumerate(shape):
        if length % blocks.shape[axis]:
            raise ValueError(f"{blocks.shape[axis]} blocks on an axis of {length}")
        blocks = np.repeat(blocks, length // blocks.shape[axis], axis)
    return blocks


def _scaled(data: Array, arguments: Arguments) -> Array:
    values = data.astype(np.float32)
    if "offset" in arguments:
        values = values - _spread(_array(arguments, "offset").astype(np.float32), data.shape)
    return values * _spread(_array(arguments, "scale").astype(np.float32), data.shape)


def _blockwise(arguments: Arguments) -> tuple[Array, ...]:
    return (_scaled(_array(arguments, "data"), arguments),)


def _look_up(indices: Array, arguments: Arguments) -> Array:
    """Each index replaced from its block's table: ``lut [blocks of each axis…, entries, vector]``."""
    lut = _array(arguments, "lut")
    if lut.ndim != indices.ndim + 2:
        raise ValueError(f"a table of {lut.ndim} axes for indices of {indices.ndim}")
    if indices.size and int(indices.max()) >= lut.shape[-2]:
        raise ValueError(f"index {int(indices.max())} into a table of {lut.shape[-2]}")
    tables = lut.reshape(-1, *lut.shape[-2:])
    table_of = _spread(np.arange(len(tables)).reshape(lut.shape[:-2]), indices.shape)
    entries = tables[table_of, indices.astype(np.intp)]
    if lut.shape[-1] == 1:
        return np.asarray(entries[..., 0])
    axis = int(_array(arguments, "vector_axis")) % indices.ndim
    shape = list(indices.shape)
    shape[axis] *= lut.shape[-1]
    return np.moveaxis(entries, -1, axis + 1).reshape(shape)


def _lut_to_dense(arguments: Arguments) -> tuple[Array, ...]:
    indices, lut = _array(arguments, "indices"), _array(arguments, "lut")
    if "shape" not in arguments:
        return (_look_up(indices, arguments),)
    shape = _shape(arguments)
    bits = len(lut).bit_length() - 1
    count = int(np.prod(shape))
    if len(indices) != -(-count * bits // 8):
        raise ValueError(f"{count} indices of {bits} bits in {len(indices)} bytes")
    return (lut[unpack(indices, bits, count)].reshape(shape),)


def _placed(values: Array, mask: Array) -> Array:
    if int(mask.sum()) != values.size:
        raise ValueError(f"{values.size} values for {int(mask.sum())} places")
    dense = np.zeros(mask.shape, values.dtype)
    dense[mask] = values.reshape(-1)
    return dense


def _sparse_to_dense(arguments: Arguments) -> tuple[Array, ...]:
    mask = _array(arguments, "mask")
    if "shape" in arguments:
        shape = _shape(arguments)
        count = int(np.prod(shape))
        if len(mask) != -(-count // 8):
            raise ValueError(f"a mask of {count} bits in {len(mask)} bytes")
        mask = unpack(mask, 1, count).reshape(shape)
    return (_placed(_array(arguments, "nonzero_data"), mask.astype(bool)),)


def _lut_to_sparse(arguments: Arguments) -> tuple[Array, ...]:
    mask = _array(arguments, "indices_mask").astype(bool)
    dense = _look_up(_placed(_array(arguments, "indices_nonzero_data"), mask), arguments)
    for axis, (before, after) in enumerate(zip(mask.shape, dense.shape, strict=True)):
        mask = np.repeat(mask, after // before, axis)
    return mask.astype(np.uint8), dense[mask]


def _sparse_blockwise(arguments: Arguments) -> tuple[Array, ...]:
    mask = _array(arguments, "data_mask").astype(bool)
    dense = _scaled(_placed(_array(arguments, "nonzero_data"), mask), arguments)
    return mask.astype(np.uint8), dense[mask]


def _cast(arguments: Arguments) -> tuple[Array, ...]:
    return (_array(arguments, "source_val").astype(np.float32),)


DECODERS: dict[str, Callable[[Arguments], tuple[Array, ...]]] = {
    "constexpr_affine_dequantize": _affine,
    "constexpr_blockwise_shift_scale": _blockwise,
    "constexpr_cast": _cast,
    "constexpr_lut_to_dense": _lut_to_dense,
    "constexpr_lut_to_sparse": _lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": _sparse_blockwise,
    "constexpr_sparse_to_dense": _sparse_to_dense,
}
"""Operation → its outputs, from its arguments."""
