"""``[search]``: what a search for recipes may vary."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pocketlens.recipe.values import Int8Steps, Size, expression
from pocketlens.toml_file import Table, Text


def _rising(low_high: tuple[float, float]) -> tuple[float, float]:
    if low_high[0] > low_high[1]:
        raise ValueError(f"it is {list(low_high)}, expected [lowest, highest]")
    return low_high


_Share = Annotated[float, Field(gt=0, lt=1)]
_Width = Annotated[int, Field(ge=8, le=512)]
_Blocks = Annotated[int, Field(ge=1, le=64)]
_Steps = Annotated[int, Field(ge=1, le=10_000_000)]


class Search(Table):
    """What a search for recipes may vary; each pair is the lowest and the highest value.

    Which files are tried, ``[targets]`` says: every target with every precision.

    Attributes:
        students: The kinds of students: ``pocket``, or copies with fewer ``channels`` or of lower ``ranks``. Left out,
            those that the source can have.
        width: Channels of a ``pocket`` student at a quarter of the size, in steps of 8.
        half_res_channels: Its channels at half the size, in steps of 4.
        blocks: Its residual convolutions.
        share: The share of the source's multiply-adds that a copy may have.
        steps: Weight updates of the distillation.
        int8_steps: The numbers of weight updates to try that train a student of an int8 file with its rounding; left
            out, the one of ``[compress]``.
        first_rung: Weight updates after which a student is first set beside the others; it is judged again after three
            times as many, and so on.
        sizes: Sizes that the student computes at, those of ``[filter]`` if left out. Scores are always against the
            teacher at the first size of ``[filter]``: a smaller picture is scaled up.
        rewrites: Choices of rewrites: ``none``, ``safe``, or names joined by commas.
        keep_float: Regular expressions, as in a rule's ``match``: whether the layers that fit stay in float in low-bit
            files is tried for each.
        runtimes: The runtimes to try; left out, the first one that plays a file.
        threads: The numbers of threads to try; left out, 1, 2 and 4, as far as this machine has cores.
        accelerators: What may compute; left out, the runtime's own choice.
        sampler: How candidates are drawn: ``tpe`` learns from those before, ``random`` does not.
        seed: The seed of all that is drawn.
    """

    students: tuple[Literal["pocket", "channels", "ranks"], ...] = ()
    width: Annotated[tuple[_Width, _Width], AfterValidator(_rising)] = (8, 64)
    half_res_channels: Annotated[
        tuple[Annotated[int, Field(ge=4, le=512)], Annotated[int, Field(ge=4, le=512)]], AfterValidator(_rising)
    ] = (8, 24)
    blocks: Annotated[tuple[_Blocks, _Blocks], AfterValidator(_rising)] = (2, 8)
    share: Annotated[tuple[_Share, _Share], AfterValidator(_rising)] = (0.03, 0.3)
    steps: Annotated[tuple[_Steps, _Steps], AfterValidator(_rising)] = (500, 4000)
    int8_steps: Annotated[tuple[Int8Steps, ...], Field(max_length=16)] = ()
    first_rung: Annotated[int, Field(ge=1, le=10_000_000)] = 250
    sizes: Annotated[tuple[Size, ...], Field(max_length=16)] = ()
    rewrites: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)] = ("safe",)
    keep_float: Annotated[tuple[Annotated[Text, AfterValidator(expression)], ...], Field(max_length=16)] = ()
    runtimes: tuple[str, ...] = ()
    threads: tuple[Annotated[int, Field(ge=1, le=256)], ...] = ()
    accelerators: tuple[str, ...] = ()
    sampler: Literal["tpe", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7
