"""Between a picture, 32 bits a pixel in the order blue, green, red, alpha, and the array that the body takes."""

from typing import Any

import numpy as np

from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed, unsigned


class Pictures:
    """Pictures of one size in a graph.

    Args:
        builder: Adds the operations.
        height: In pixels.
        width: In pixels.
    """

    def __init__(self, builder: CoreAIBuilder, height: int, width: int) -> None:
        self._builder, self._size = builder, (height, width)

    def type(self, name: str | None = None) -> Any:
        """The type of a picture; an output needs its name."""
        # The public package has no name for the enumeration that its own ImageType asks for.
        from coreai._compiler._mlir_libs._coreaiIR._bindings.mlir.dialects.coreai import FourCC

        return self._builder.ops.ImageType(FourCC.BGRA32, *self._size, name=name)

    def read(self, picture: Var) -> Var:
        """A picture as ``[1, 3, H, W]``, RGB 0..255, in the type that the program computes in; alpha is left out."""
        return self.from_pixels(self._builder.ops.image_to_tensor(picture))

    def from_pixels(self, pixels: Var) -> Var:
        """The same of ``uint8 [H, W, 4]``, BGRA."""
        ops = self._builder.ops
        pixels = ops.cast(pixels, self._builder.dtype)
        colours = ops.slice_(pixels, signed((0, 0, 0)), signed((*self._size, 3)), signed((1, 1, 1)))
        planes = ops.transpose(ops.reverse(colours, signed((2,))), unsigned((2, 0, 1)))
        return self._builder.reshape(planes, (1, 3, *self._size))

    def write(self, array: Var) -> Var:
        """``[1, 3, H, W]``, RGB, as an opaque picture; values are held within 0..255 and rounded."""
        return self._builder.ops.tensor_to_image(self.type(), self.to_pixels(array))

    def to_pixels(self, array: Var) -> Var:
        """The same as ``uint8 [H, W, 4]``, BGRA."""
        ops, scalar = self._builder.ops, self._builder.scalar
        held = ops.broadcasting_minimum(ops.broadcasting_maximum(array, scalar(0.0, 4)), scalar(255.0, 4))
        planes = ops.cast(ops.round_(self._builder.reshape(held, (3, *self._size))), np.uint8)
        colours = ops.reverse(ops.transpose(planes, unsigned((1, 2, 0))), signed((2,)))
        opaque = ops.broadcast_to(np.full((1, 1, 1), 255, np.uint8), unsigned((*self._size, 1)))
        return ops.concat(np.array(2, np.int32), [colours, opaque])
