"""The precisions: what each name means, and how near to its teacher a file of it must come at the least."""

from typing import Literal

from pocketlens.quick_dataclass import dataclass

Quantizes = Literal["nothing", "weights", "activations"]
"""What is stored or computed in integers: nothing, the weights alone, or weights and activations."""


@dataclass(frozen=True)
class Floors:
    """PSNR in dB under which a file is wrong, whatever a gate asks.

    Attributes:
        file: Of the worst picture: against the teacher, and where weights or activations are quantized against the
            quantized graph itself, so that a wrong file cannot pass for a lossy one.
        block_means: The same of means over 8 x 8 pixels. Kernels may round differently from the graph, which averages
            out there; what a wrong kernel does stays. Eleven generators on every target at two sizes gave 31 dB and 43
            dB of means at the least; four negated channels of 128 in one convolution of a fast-style gave 28 to 38 dB
            and 30 to 42 of means (the documentation's page on precisions has the table).
        teacher: Of the worst picture against the teacher, where quantization has gone wrong and not only lost
            something.
        rounding: How much of itself a value between two nodes may be wrong by, where it is a float: the unit of the
            arithmetic that plays it. 0 where values are rounded to integers.
        margin: dB: a file may be so much further away than rounding alone moves its graph, before it is wrong
            (docs/decisions/0022).
        slack: dB by which ``file`` and ``block_means`` are lowered at the most, whatever rounding does to the graph.
    """

    file: float
    block_means: float = 0.0
    teacher: float = 0.0
    rounding: float = 0.0
    margin: float = 6.0
    slack: float = 0.0


SINGLE = 2.0**-23
"""The unit of 32-bit floats."""
HALF = 2.0**-10
"""The unit of 16-bit floats."""
_IN_HALF = {"rounding": HALF, "slack": 15.0}
"""Some runtime plays files of the precision in half precision."""


@dataclass(frozen=True)
class Precision:
    """A precision.

    Attributes:
        name: As recipes and file names have it.
        quantizes: What is in integers.
        summary: One line for people.
        bits: Of a weight.
        floors: The least dB that each file must reach.
    """

    name: str
    quantizes: Quantizes
    summary: str
    bits: int
    floors: Floors

    @property
    def is_low_bit(self) -> bool:
        """Whether its graph differs from that of floats: weights, or weights and activations, are quantized."""
        return self.quantizes != "nothing"

    @property
    def dtype(self) -> str:
        """The number type of pixels in and out, where the target has no image type of its own."""
        return "uint8" if self.quantizes == "activations" else "float32"


PRECISIONS: dict[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision("fp32", "nothing", "32-bit floats", 32, Floors(80, rounding=SINGLE, margin=18, slack=20)),
        Precision(
            "fp16", "nothing", "16-bit floats; what the arithmetic is in, the device chooses", 16,
            Floors(50, **_IN_HALF),
        ),
        Precision(
            "w8", "weights", "8-bit weights, a scale for each output channel; arithmetic in floats", 8,
            Floors(50, teacher=30, **_IN_HALF),
        ),
        Precision(
            "int8", "activations", "8-bit weights and activations", 8, Floors(28, block_means=39, teacher=15, slack=8)
        ),
        Precision(
            "int8-a16", "activations", "8-bit weights, 16-bit activations", 8,
            Floors(50, block_means=62, teacher=25, slack=15),
        ),
        Precision(
            "palette8", "weights", "weights from a palette of 256 values a tensor", 8,
            Floors(50, teacher=30, **_IN_HALF),
        ),
        Precision(
            "palette6", "weights", "weights from a palette of 64 values a tensor", 6,
            Floors(50, teacher=20, **_IN_HALF),
        ),
        Precision(
            "palette4", "weights", "weights from a palette of 16 values a tensor", 4,
            Floors(50, teacher=12, **_IN_HALF),
        ),
    )
}  # fmt: skip
"""Every precision by its name, whatever target has it."""
