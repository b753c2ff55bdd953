"""``[compress]``: a smaller generator in place of the source."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pocketlens.recipe.values import Int8Steps
from pocketlens.toml_file import Table

RENAMED_KEYS = {"compress.half": "half_res_channels", "compress.whole": "instance_norm"}
"""Keys of earlier versions and what they are called now: a recipe that has one is refused with its new name."""

_LATER = {"cut": "channels"}
"""Fields of ``[compress]`` that students were trained without, and what they stand for in those."""


class Compress(Table):
    """A smaller generator in place of the source. It is trained before anything is converted.

    Attributes:
        channels: Prune a copy of the source to this share of its channels; without it and ``macs`` the student is a
            ``pocket``.
        macs: Make a copy of at most this share of the source's multiply-adds, instead of ``channels``.
        cut: What of a copy becomes less with ``macs``: ``channels``, which is quicker, or ``ranks``, which is nearer to
            the source.
        multiple: Channels or ranks of a copy stay multiples of this: 8 suits most kernels, 16 or 32 some accelerators.
        steps: Weight updates of the distillation.
        int8_steps: Weight updates of a last phase, in which the student is trained with the rounding of int8
            (quantization-aware training).
        width: Channels of a ``pocket`` student at a quarter of the size.
        half_res_channels: Channels of a ``pocket`` student at half the size.
        blocks: Residual convolutions of a ``pocket`` student at a quarter of the size.
        instance_norm: Whether a ``pocket`` student has instance norms, which see the statistics of the whole picture;
            left out, it has them where the teacher has.
        pictures: How many pictures the student is trained on; the teacher runs on each of them once.
        batch: Pictures of the recipe's size in a step, and more of smaller ones. A GPU needs more than one to be busy.
        rate: The highest learning rate.
        adversarial: Weight of a discriminator that tells the teacher's pictures from the student's.
        seed: The seed of all random numbers.
    """

    channels: Annotated[float, Field(gt=0, lt=1)] | None = None
    macs: Annotated[float, Field(gt=0, lt=1)] | None = None
    cut: Literal["channels", "ranks"] = "channels"
    multiple: Annotated[int, Field(ge=1, le=64)] = 8
    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 2000
    int8_steps: Int8Steps = 0
    width: Annotated[int, Field(ge=8, le=512)] = 40
    half_res_channels: Annotated[int, Field(ge=4, le=512)] = 16
    blocks: Annotated[int, Field(ge=1, le=64)] = 6
    instance_norm: bool | None = None
    pictures: Annotated[int, Field(ge=8, le=100_000)] = 320
    batch: Annotated[int, Field(ge=1, le=1024)] = 1
    rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    adversarial: Annotated[float, Field(ge=0, le=10)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7

    def key(self, *leave_out: str) -> dict[str, Any]:
        """The settings that decide a student, for the keys of caches and of trainings.

        Renamed settings have their old names here, and later ones are left out while they have their default, so that
        the students and trainings of earlier versions are found.

        Example:
            >>> "cut" in Compress(macs=0.25).key(), "cut" in Compress(macs=0.25, cut="ranks").key()
            (False, True)
        """
        settings = self.model_dump(mode="json", exclude=set(leave_out))
        old_names = {
            new: old.removeprefix("compress.") for old, new in RENAMED_KEYS.items() if old.startswith("compress.")
        }
        return {old_names.get(name, name): value for name, value in settings.items() if _LATER.get(name) != value}

    @model_validator(mode="after")
    def _one_student(self) -> Self:
        if self.channels is not None and self.macs is not None:
            raise ValueError("channels and macs both say how much stays; give one")
        if self.cut == "ranks" and self.macs is None:
            raise ValueError(
                "cut = 'ranks' needs macs in place of channels, the share of multiply-adds; for instance 0.25"
            )
        own = sorted(self.model_fields_set & {"width", "half_res_channels", "blocks", "instance_norm"})
        if own and (self.channels or self.macs):
            raise ValueError(f"{own[0]} is of a pocket student, and channels or macs asks for a pruned copy; give one")
        return self
