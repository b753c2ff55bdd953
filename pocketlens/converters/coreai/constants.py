"""Constants of a Core AI program, in bytes that are the same each time.

coreai-core 1.0.0b3's own ``constant`` names every larger array by a random number, and stores four-bit integers one a
byte where the runtime reads packed bits. So arrays are stored here under names that are counted, and packed by
:func:`pocketlens.converters.quantized_weights.pack_indices`. The package has no public way to do either; this module is
the only one that reaches below it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_INLINE = 16
"""Arrays up to this many values stand in the program itself, as coreai-core writes them."""


class Constants:
    """Makes the constants of one program, and remembers those that it made."""

    def __init__(self) -> None:
        self._count = 0

    def array(self, array: NDArray[np.generic]) -> Any:
        """A constant of the type and shape of a numpy array."""
        from coreai.authoring.constant import constant

        if array.size <= _INLINE:
            return constant(np.ascontiguousarray(array).reshape(array.shape))
        return self._resource(array, array.shape, _element(array.dtype))

    def packed(self, data: NDArray[np.uint8], shape: tuple[int, ...], bits: int) -> Any:
        """Unsigned integers of a few bits.

        Args:
            data: The integers, packed; the least significant bit of each first.
            shape: Of the constant.
            bits: Of an integer.
        """
        from coreai._compiler.ir import IntegerType

        return self._resource(data, shape, IntegerType.get_unsigned(bits))

    def _resource(self, data: NDArray[np.generic], shape: tuple[int, ...], element: Any) -> Any:
        from coreai._compiler.dialects.coreai import ConstantOp
        from coreai._compiler.ir import DenseResourceElementsAttr, RankedTensorType
        from coreai.authoring import Value

        self._count += 1
        attribute = DenseResourceElementsAttr.get_from_buffer(
            np.ascontiguousarray(data), f"weights_{self._count}", RankedTensorType.get(shape, element)
        )
        return Value._from_mlir(ConstantOp(value=attribute).result)


def _element(dtype: np.dtype[Any]) -> Any:
    from coreai._compiler.ir import F16Type, F32Type, IntegerType

    if dtype.kind == "f":
        return F16Type.get() if dtype.itemsize == 2 else F32Type.get()
    bits = dtype.itemsize * 8
    return IntegerType.get_signed(bits) if dtype.kind == "i" else IntegerType.get_unsigned(bits)
