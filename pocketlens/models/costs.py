"""What each architecture costs: multiply-adds and parameters, counted without computing anything."""

import copy
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens.converters.ranges import Range
from pocketlens.errors import require
from pocketlens.files import cached, key_of, sha256
from pocketlens.models.zoo import ARCHITECTURES, Architecture, Variant

if TYPE_CHECKING:
    from torch import nn

SIZE = (256, 256)
"""Height and width in pixels at which architectures are compared."""


@dataclass(frozen=True)
class Costs:
    """The costs of a generator.

    Attributes:
        macs: Multiply-adds of one picture, in convolutions, transposed convolutions and matrix products; the same
            number as :func:`pocketlens.converters.graph.macs` counts in the graph. Papers often count a transposed
            convolution of stride 2 as 4 times that much, as if it multiplied the zeros between pixels.
        parameters: Number of trained weights; the statistics of batch norms are none.
        multiple: Height and width must be multiples of this.
    """

    macs: int
    parameters: int
    multiple: int


@dataclass(frozen=True)
class ZooEntry:
    """One variant of an architecture, as ``pocketlens zoo`` shows it; see :class:`pocketlens.models.zoo.Architecture`.

    Attributes:
        size: Height and width in pixels that :attr:`costs` are for.
        input_range: The values that the generator expects for black and white.
        output_range: The values that it gives for them.
    """

    name: str
    variant: str
    description: str
    source: str
    paper: str
    license: str
    input_range: Range
    output_range: Range
    size: tuple[int, int]
    costs: Costs


def zoo_entries() -> list[ZooEntry]:
    """Every variant of every architecture, in the order of the table. Torch is imported only for what is not cached.

    Raises:
        MissingError: torch is not installed.
    """
    return [
        ZooEntry(
            name=architecture.name,
            variant=variant.name,
            description=architecture.description,
            source=architecture.source,
            paper=architecture.paper,
            license=architecture.license,
            input_range=architecture.ranges.input,
            output_range=architecture.ranges.output,
            size=SIZE,
            costs=variant_costs(architecture, variant),
        )
        for architecture in ARCHITECTURES.values()
        for variant in architecture.variants
    ]


def variant_costs(architecture: Architecture, variant: Variant) -> Costs:
    """The costs of a variant at :data:`SIZE`, counted once for each version of its code.

    Raises:
        MissingError: torch is not installed.
    """
    require("torch", "build")
    spec = find_spec(architecture.module)
    assert spec is not None
    assert spec.origin is not None

    def make(folder: Path) -> None:
        counted = count_costs(architecture.skeleton(variant), *SIZE)
        (folder / "figures.json").write_text(json.dumps(asdict(counted)))

    key = key_of(
        code=[sha256(Path(spec.origin)), sha256(Path(__file__))], arguments=dict(variant.arguments), size=SIZE,
        torch=version("torch"),
    )  # fmt: skip
    costs: dict[str, int] = json.loads((cached("figures", key, make) / "figures.json").read_text())
    return Costs(**costs)


def module_costs(module: "nn.Module", size: tuple[int, int]) -> Costs:
    """What :func:`count_costs` finds of a module on any device, which stays as it is; ``size`` is height and width in
    pixels.
    """
    return count_costs(copy.deepcopy(module).to("meta"), *size)


def count_costs(module: "nn.Module", height: int, width: int) -> Costs:
    """Count what a generator multiplies for one picture.

    Args:
        module: On torch's meta device, where shapes are computed and nothing else.
        height: In pixels.
        width: In pixels.
    """
    import torch
    from torch import nn

    macs = 0

    def add(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal macs
        weight: Any = layer.weight
        if isinstance(layer, nn.Linear):
            macs += weight.numel() * output.numel() // output.shape[-1]
        else:
            # A convolution multiplies each kernel once an output position, a transposed one once an input position.
            swept = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
            macs += weight.numel() * swept.shape[-2] * swept.shape[-1]

    counted = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    hooks = [layer.register_forward_hook(add) for layer in module.modules() if isinstance(layer, counted)]
    try:
        with torch.no_grad():
            module(torch.empty(1, 3, height, width, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    parameters = sum(weight.numel() for weight in module.parameters())
    return Costs(macs, parameters, int(getattr(module, "multiple", 1)))
