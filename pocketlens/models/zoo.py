"""The architectures whose checkpoints can be loaded, and the filters that ship. Importing this never imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, require

if TYPE_CHECKING:
    from torch import nn

_SHIPPED = Path(__file__).parent / "shipped"
_SIGNED = Ranges((-1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Variant:
    """One of the sizes in which an architecture is trained; a checkpoint's own names tell which one it is.

    Attributes:
        name: What its authors call it, or ``""`` where there is only one.
        arguments: What the architecture's class is called with.
    """

    name: str = ""
    arguments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Architecture:
    """A kind of generator. Its class may convert foreign checkpoints with ``convert_weights``.

    Attributes:
        name: As in the recipe.
        module: The import path of the module that holds the class; it imports torch.
        class_name: The class in it.
        source: Where its checkpoints come from.
        paper: Who described it first.
        license: The SPDX identifier of the upstream code whose checkpoints load; the weights may have another licence.
        description: One line.
        multiple: Height and width must be multiples of this, whatever the variant; a variant's module may need more,
            and then says so in its own ``multiple``.
        ranges: Its input and output range.
        variants: Every variant that can be loaded, the most common one first.
    """

    name: str
    module: str
    class_name: str
    source: str
    paper: str
    license: str
    description: str
    multiple: int = 1
    ranges: Ranges = field(default_factory=Ranges)
    variants: tuple[Variant, ...] = (Variant(),)

    def generator_class(self) -> "type[nn.Module]":
        """The class itself; imports torch.

        Raises:
            MissingError: torch is not installed.
        """
        require("torch", "build")
        kind: Any = getattr(import_module(self.module), self.class_name)
        return cast("type[nn.Module]", kind)

    def skeleton(self, variant: Variant) -> "nn.Module":
        """A variant's module without memory for its weights: on torch's meta device, which takes milliseconds.

        Raises:
            MissingError: torch is not installed.
        """
        kind = self.generator_class()
        import torch

        with torch.device("meta"):
            return kind(**variant.arguments).eval()


@dataclass(frozen=True)
class Builtin:
    """A filter that ships with its weights.

    Attributes:
        name: As in ``builtin:NAME``.
        architecture: The name of its architecture.
        description: One line.
        license: The SPDX identifier of the weights.
    """

    name: str
    architecture: str
    description: str
    license: str

    @property
    def weights(self) -> Path:
        """Its checkpoint."""
        return _SHIPPED / f"{self.name}.safetensors"

    @property
    def recipe(self) -> Path:
        """The recipe that builds it."""
        return _SHIPPED / f"{self.name}.toml"

    @property
    def card(self) -> Path:
        """Its model card."""
        return _SHIPPED / f"{self.name}.md"


ARCHITECTURES = {
    entry.name: entry
    for entry in (
        Architecture(
            name="fast-style",
            module="pocketlens.models.fast_style",
            class_name="FastStyle",
            source="https://github.com/lengstrom/fast-style-transfer",
            paper="Johnson, Alahi, Li: Perceptual Losses for Real-Time Style Transfer and Super-Resolution, 2016",
            license="MIT",
            description="feed-forward style transfer with instance norm, trained in TensorFlow",
            multiple=4,
        ),
        Architecture(
            name="transformer-net",
            module="pocketlens.models.transformer_net",
            class_name="TransformerNet",
            source="https://github.com/pytorch/examples/tree/main/fast_neural_style",
            paper="Johnson, Alahi, Li: Perceptual Losses for Real-Time Style Transfer and Super-Resolution, 2016",
            license="BSD-3-Clause",
            description="the same idea in PyTorch: mirrored edges, and enlarging by repeated pixels",
            multiple=4,
        ),
        Architecture(
            name="cyclegan-resnet",
            module="pocketlens.models.cyclegan_resnet",
            class_name="CycleGanResnet",
            source="https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix",
            paper="Zhu, Park, Isola, Efros: "
            "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017",
            license="BSD-2-Clause",
            description="translation between two unpaired sets of pictures; instance norm without weights, no dropout",
            multiple=4,
            ranges=_SIGNED,
            variants=(Variant("9 blocks", {"blocks": 9}), Variant("6 blocks", {"blocks": 6})),
        ),
        Architecture(
            name="animegan2",
            module="pocketlens.models.animegan2",
            class_name="AnimeGan2",
            source="https://github.com/bryandlee/animegan2-pytorch",
            paper="Chen, Liu, Chen: AnimeGAN: A Novel Lightweight GAN for Photo Animation, 2020",
            license="MIT",
            description="photographs as anime; the authors of AnimeGANv2 allow no commercial use of their weights",
            ranges=_SIGNED,
        ),
        Architecture(
            name="pix2pix-unet",
            module="pocketlens.models.pix2pix_unet",
            class_name="Pix2PixUnet",
            source="https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix",
            paper="Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, 2017",
            license="BSD-2-Clause",
            description="translation learned from pairs of pictures; a U-Net with batch norm",
            multiple=128,
            ranges=_SIGNED,
            variants=(Variant("unet_256", {"halvings": 8}), Variant("unet_128", {"halvings": 7})),
        ),
        Architecture(
            name="pocket",
            module="pocketlens.models.pocket",
            class_name="Pocket",
            source="https://github.com/pocketlens/pocketlens",
            paper="none",
            license="Apache-2.0",
            description="the project's own mobile generator",
            multiple=4,
        ),
        Architecture(
            name="painter",
            module="pocketlens.models.painter",
            class_name="Painter",
            source="https://github.com/magenta/magenta/tree/main/magenta/models/arbitrary_image_stylization",
            paper="Ghiasi, Lee, Kudlur, Dumoulin, Shlens: Exploring the Structure of a Real-time, Arbitrary Neural "
            "Artistic Stylization Network, 2017",
            license="Apache-2.0",
            description="Magenta's small network for phones, which paints in any style that it has the numbers of",
            multiple=4,
        ),
    )
}

BUILTINS = {
    entry.name: entry
    for entry in (
        Builtin(
            name="cartoon",
            architecture="pocket",
            description="flat colours, soft tone steps and ink lines",
            license="Apache-2.0",
        ),
        Builtin(
            name="starry",
            architecture="pocket",
            description="thick strokes along the edges, in a painting's blue, ochre and pale yellow",
            license="Apache-2.0",
        ),
        Builtin(
            name="atelier",
            architecture="pocket",
            description="a pack of four styles: cartoon, starry, ink and oil, switched and blended while it plays",
            license="Apache-2.0",
        ),
        Builtin(
            name="gallery",
            architecture="painter",
            description="a pack of six neural styles: starry, wave, composition, cartoon, ink and oil",
            license="Apache-2.0",
        ),
    )
}


def architecture(name: str) -> Architecture:
    """The architecture of this name.

    Raises:
        InputError: There is none; the message lists those that exist.
    """
    if name not in ARCHITECTURES:
        raise InputError(f"there is no architecture {name!r}", do=f"use one of {', '.join(sorted(ARCHITECTURES))}")
    return ARCHITECTURES[name]


def builtin(name: str) -> Builtin:
    """The filter of this name that ships.

    Raises:
        InputError: There is none; the message lists those that exist.
    """
    if name not in BUILTINS:
        raise InputError(f"no filter {name!r} ships with Pocketlens", do=f"use one of {', '.join(sorted(BUILTINS))}")
    return BUILTINS[name]
