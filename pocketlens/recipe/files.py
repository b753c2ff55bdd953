"""The files to make: ``[targets]``, ``[rewrites]``, ``[quantize]``, ``[chips]`` and ``[bundle]``."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator

from pocketlens.chips import ChipChoice
from pocketlens.errors import InputError
from pocketlens.precisions import PRECISIONS
from pocketlens.recipe.values import expression
from pocketlens.targets import TARGETS, target_named
from pocketlens.toml_file import Table, Text


def _precision_of(target: str) -> AfterValidator:
    def check(precision: str) -> str:
        try:
            return target_named(target).precision(precision).name
        except InputError as error:
            raise ValueError(f"{error.what}; {error.do}") from error

    return AfterValidator(check)


_TargetKeys: Any = create_model(
    "_TargetKeys", __base__=Table, **{name: (tuple[Annotated[str, _precision_of(name)], ...], ()) for name in TARGETS}
)  # type: ignore[call-overload]
"""A key for each of :data:`pocketlens.targets.TARGETS`."""


class Targets(_TargetKeys):
    """The targets to emit, each with its precisions; at least one.

    There is a key for each of :data:`pocketlens.targets.TARGETS`.
    """

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.chosen():
            raise ValueError("no target is chosen; for instance: tflite = ['fp32', 'fp16']")
        return self

    def chosen(self) -> dict[str, tuple[str, ...]]:
        """Target → precisions, those without any left out."""
        return {name: tuple(dict.fromkeys(value)) for name, value in self if value}


def _target(name: str) -> str:
    if name not in TARGETS:
        raise ValueError(f"there is no target {name!r}; choose from {', '.join(TARGETS)}")
    return name


def _setting(name: str) -> str:
    known = ["float", *(precision.name for precision in PRECISIONS.values() if precision.is_low_bit)]
    if name not in known:
        raise ValueError(f"there is no setting {name!r}; choose from {', '.join(known)}")
    return name


class Rule(Table):
    """How some layers compute. The last rule that fits a layer counts.

    A layer that no rule fits computes as the artifact's precision says.

    Attributes:
        match: A regular expression that is searched in the names of a layer, of its weights and of its output; empty
            for all.
        operator: Only layers of this ONNX operator.
        setting: ``float``, or a low-bit precision, for instance ``int8-a16``.
        targets: Only on these targets; empty for all.
    """

    setting: Annotated[str, AfterValidator(_setting)]
    match: Annotated[Text, AfterValidator(expression)] = ""
    operator: Literal["", "Conv", "ConvTranspose", "MatMul", "Gemm"] = ""
    targets: tuple[Annotated[str, AfterValidator(_target)], ...] = ()


class Quantize(Table):
    """How low-bit artifacts are made.

    Attributes:
        rules: The plan by hand: rules in order, added to what the precision says.
        search: Whether to search for layers to keep in float, or in 16 bits, if an artifact misses the gate.
        ranges: How the ranges of activations are found; if left out, it is measured.
        equalize: How far channels are equalized, from 0 (not) to 1 (fully); if left out, it is measured.
        correct_bias: Whether biases are shifted by what rounded weights change on average; if left out, it is measured.
    """

    rules: Annotated[tuple[Rule, ...], Field(max_length=1000)] = ()
    search: bool = True
    ranges: Literal["minmax", "percentile", "mse"] | None = None
    equalize: Annotated[float, Field(ge=0, le=1)] | None = None
    correct_bias: bool | None = None


def _kept(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, str) and value in ("none", "safe", "auto"):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError(f"it is {value!r}, expected 'none', 'safe', 'auto' or a list of names")


class Rewrites(Table):
    """The exact rewrites of the graph that targets get.

    Attributes:
        keep: ``"none"``; ``"safe"``, each target's set that needs no measuring; ``"auto"``, those that are faster on
            the machine that builds; or their names.
    """

    keep: Annotated[str | tuple[str, ...], BeforeValidator(_kept)] = "safe"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """``rewrites = "auto"`` stands for a table with only ``keep`` in it."""
        return {"keep": value} if isinstance(value, str | list | tuple) else value


def _chip(name: str) -> str:
    for target in TARGETS.values():
        if target.chips:
            try:
                return target.chip(name).name
            except InputError as error:
                raise ValueError(f"{error.what}; {error.do}") from error
    raise ValueError("no target is compiled for chips")


class Chips(Table):
    """The chips that files are compiled for, of targets whose files are each for one.

    Attributes:
        names: Model numbers, for instance ``sm8650``; empty for every chip that computes in the precision.
        partly_on_cpu: Whether operators that a chip's accelerator lacks may be left to its processor; such a file is
            refused otherwise.
    """

    names: tuple[Annotated[str, AfterValidator(_chip)], ...] = ()
    partly_on_cpu: bool = False

    def choice(self) -> ChipChoice:
        """The same for the pipeline."""
        return ChipChoice(self.names, self.partly_on_cpu)


class BundleOptions(Table):
    """What a bundle holds besides its artifacts.

    Attributes:
        web: Whether to add ``web/``, a page that plays the filter in a browser; it needs a TFLite target.
        keep_slower: Whether files of integer arithmetic stay that a build measured to be slower than the floats of the
            same target. For a bundle for other machines say ``true``: what pays there was not measured.
    """

    web: bool = False
    keep_slower: bool = False
