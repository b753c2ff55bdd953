"""What a network costs an accelerator, layer by layer: the quantities that the model of a phone's time is made of."""

from collections.abc import Iterable
from dataclasses import dataclass

CHANNELS = 32
"""An accelerator's matrix unit takes channels in groups of this many; a layer with fewer fills them up with zeros."""


@dataclass(frozen=True)
class Layer:
    """One layer, with its activation, bias and batch norm.

    Attributes:
        operator: Of ONNX.
        macs: Multiply-adds.
        padded_macs: Multiply-adds with the channels in and out filled up to whole groups of :data:`CHANNELS`; those of
            a convolution by channel are as they are.
        weights: Number of weights.
        values: Numbers that it reads and writes, weights aside.
        by_channel: Whether it is a convolution that mixes no channels.
    """

    operator: str
    macs: int = 0
    padded_macs: int = 0
    weights: int = 0
    values: int = 0
    by_channel: bool = False


@dataclass(frozen=True)
class Costs:
    """What a whole network costs, in the terms of :class:`pocketlens.phones.model.Rates`.

    Attributes:
        gmacs: 10⁹ multiply-adds of convolutions and matrix products.
        padded_gmacs: The same with channels filled up to whole groups.
        by_channel_gmacs: 10⁹ multiply-adds of convolutions by channel.
        values: 10⁶ numbers read and written by convolutions and matrix products.
        other_values: 10⁶ numbers read and written by all other layers.
        weights: 10⁶ weights.
        layers: How many layers there are.
    """

    gmacs: float
    padded_gmacs: float
    by_channel_gmacs: float
    values: float
    other_values: float
    weights: float
    layers: int

    @property
    def all_gmacs(self) -> float:
        """10⁹ multiply-adds, of convolutions by channel as well."""
        return self.gmacs + self.by_channel_gmacs


def convolution(
    operator: str, channels: tuple[int, int], kernel: int, pixels: tuple[int, int], groups: int = 1, swept: int = 0
) -> Layer:
    """A convolution, a transposed one, or a matrix product (a kernel of 1).

    Args:
        operator: Of ONNX.
        channels: In and out.
        kernel: Positions of the kernel: height times width.
        pixels: Positions of the pictures in and out: height times width.
        groups: Of channels that do not see each other.
        swept: Positions that the kernel is laid on; 0 for those of the picture out.

    Example:
        >>> layer = convolution("Conv", (3, 32), 9, (4096, 4096))
        >>> layer.macs, layer.padded_macs, layer.weights, layer.values
        (3538944, 37748736, 864, 143360)
    """
    swept = swept or pixels[1]
    each = (channels[0] // groups, channels[1] // groups)
    weights = groups * each[0] * each[1] * kernel
    by_channel = groups > 1 and each[0] == 1
    padded = weights if by_channel else groups * _filled(each[0]) * _filled(each[1]) * kernel
    values = channels[0] * pixels[0] + channels[1] * pixels[1]
    return Layer(operator, weights * swept, padded * swept, weights, values, by_channel)


def _filled(channels: int) -> int:
    return -(-channels // CHANNELS) * CHANNELS


def total(layers: Iterable[Layer]) -> Costs:
    """The costs of a network."""
    layers = tuple(layers)
    mixing = [layer for layer in layers if layer.macs and not layer.by_channel]
    by_channel = [layer for layer in layers if layer.by_channel]
    return Costs(
        gmacs=sum(layer.macs for layer in mixing) / 1e9,
        padded_gmacs=sum(layer.padded_macs for layer in mixing) / 1e9,
        by_channel_gmacs=sum(layer.macs for layer in by_channel) / 1e9,
        values=sum(layer.values for layer in mixing) / 1e6,
        other_values=sum(layer.values for layer in layers if not layer.macs or layer.by_channel) / 1e6,
        weights=sum(layer.weights for layer in layers) / 1e6,
        layers=len(layers),
    )
