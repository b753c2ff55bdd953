"""Builds the list of a network's layers from what its paper says; nothing is computed."""

from pocketlens.phones.layers import Layer, convolution


class Builder:
    """A network under construction: the shape of the picture so far, and the layers before it.

    Args:
        channels: Of the network's input.
        height: Of it, in pixels.
        width: Of it, in pixels.

    Example:
        >>> net = Builder(3, 32, 32).conv(16, 3, stride=2).conv(16, 3).merge()
        >>> net.channels, net.height, len(net.layers), net.weights
        (16, 16, 3, 2736)
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.channels, self.height, self.width = channels, height, width
        self.layers: list[Layer] = []

    @property
    def pixels(self) -> int:
        """Of the picture so far."""
        return self.height * self.width

    @property
    def weights(self) -> int:
        """Of all layers so far, without biases."""
        return sum(layer.weights for layer in self.layers)

    def conv(self, channels: int, kernel: int | tuple[int, int] = 3, stride: int = 1, groups: int = 1) -> "Builder":
        """A convolution that pads so that its stride alone changes the size."""
        return self._convolve("Conv", channels, kernel, groups, -(-self.height // stride), -(-self.width // stride))

    def by_channel(self, kernel: int = 3, stride: int = 1) -> "Builder":
        """A convolution that mixes no channels."""
        return self.conv(self.channels, kernel, stride, self.channels)

    def enlarge_conv(self, channels: int, kernel: int = 2, stride: int = 2) -> "Builder":
        """A transposed convolution."""
        before = self.pixels
        size = (self.height * stride, self.width * stride)
        return self._convolve("ConvTranspose", channels, kernel, 1, *size, swept=before)

    def _convolve(
        self, operator: str, channels: int, kernel: int | tuple[int, int], groups: int, *size: int, swept: int = 0
    ) -> "Builder":
        area = kernel * kernel if isinstance(kernel, int) else kernel[0] * kernel[1]
        pixels, moved = size[0] * size[1], (self.channels, channels)
        self.layers.append(convolution(operator, moved, area, (self.pixels, pixels), groups, swept))
        self.channels, (self.height, self.width) = channels, size
        return self

    def merge(self, inputs: int = 2, operator: str = "Add") -> "Builder":
        """An addition or product of several pictures of this shape."""
        return self._move(operator, (inputs + 1) * self.channels * self.pixels)

    def norm(self) -> "Builder":
        """A norm by the picture's own statistics, a sigmoid, or another layer that reads and writes the picture."""
        return self._move("Norm", 2 * self.channels * self.pixels)

    def concat(self, channels: int) -> "Builder":
        """With other pictures of this size: ``channels`` in all."""
        self.channels = channels
        return self._move("Concat", 2 * channels * self.pixels)

    def pool(self, stride: int = 2) -> "Builder":
        """A pooling that divides the size; 0 pools the whole picture."""
        before = self.channels * self.pixels
        self.height, self.width = (-(-n // stride) if stride else 1 for n in (self.height, self.width))
        return self._move("Pool", before + self.channels * self.pixels)

    def resize(self, factor: int) -> "Builder":
        """An enlargement by nearest or linear."""
        before = self.channels * self.pixels
        self.height, self.width = self.height * factor, self.width * factor
        return self._move("Resize", before + self.channels * self.pixels)

    def shuffle(self, factor: int) -> "Builder":
        """A pixel shuffle: channels become pixels."""
        self.channels //= factor * factor
        self.height, self.width = self.height * factor, self.width * factor
        return self._move("DepthToSpace", 2 * self.channels * self.pixels)

    def split(self, channels: int) -> "Builder":
        """Go on with some of the channels."""
        self.channels = channels
        return self

    def back_to(self, channels: int, height: int, width: int) -> "Builder":
        """Go on from an earlier picture, as a branch does."""
        self.channels, self.height, self.width = channels, height, width
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width: for :meth:`back_to`."""
        return self.channels, self.height, self.width

    def dense(self, channels: int) -> "Builder":
        """A matrix product after a pooling of the whole picture."""
        return self.conv(channels, 1)

    def _move(self, operator: str, values: int) -> "Builder":
        self.layers.append(Layer(operator, values=values))
        return self
