"""The recipe: what to build and what must hold, as a TOML file that is validated to the last key."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    create_model,
    model_validator,
)

from pocketlens import patterns
from pocketlens.chips import ChipChoice
from pocketlens.errors import InputError
from pocketlens.placement import ACCELERATORS
from pocketlens.precisions import PRECISIONS
from pocketlens.targets import TARGETS, target_named
from pocketlens.toml_file import Table, Text, TomlFile

Size = tuple[Annotated[int, Field(ge=16, le=4096)], Annotated[int, Field(ge=16, le=4096)]]
Limit = Annotated[float, Field(gt=0, strict=True)]
LARGEST = 1e6
"""Largest number in a value range; beyond it float32 has no room for the steps between pixels."""
NARROWEST = 1e-6


class Filter(Table):
    """The generator, and what its artifacts say of themselves.

    Attributes:
        name: The filter's name: a letter or digit first, then letters, digits, ``.``, ``_`` and ``-``, 64 at most.
        source: Where the generator comes from: a checkpoint, an ``.onnx`` or ``.tflite`` file, relative to the recipe;
            ``hf:FOLDER``; ``builtin:NAME``; or ``module:factory``.
        architecture: The name of the generator's architecture; needed for checkpoints. ``pocketlens zoo`` lists them.
        sizes: Height and width in pixels; the build makes every artifact once for each.
        resize: How an app fits a picture of another size to the artifact.
        license: SPDX expression of the weights' licence; it goes into every artifact.
        license_file: The file of the licence's text, relative to the recipe; it goes into the bundle.
        attribution: The people or projects that a user of the filter must name.
        description: One sentence that says what the filter does.
        version: The filter's version; an app shows it.
        input_range: The values that the generator takes for black and for white, where these are not 0 and 255.
            Checkpoints of a known architecture need none.
        output_range: The values that the generator gives for black and for white.
        input: The name of the input that is the picture, where the model has several.
        output: The name of the output that is the picture, where it has several; ``NAME.1`` is one channel of it, and
            ``NAME.0:3`` the first three. Of a module that returns a tuple or dictionary, the place or key.
        constants: What other inputs are fixed to, by name: a number, or the path of an ``.npy`` file relative to the
            recipe. ``"NAME.3"`` is a fourth channel of the picture.
        mean: What the generator wants taken from red, green and blue, in values of 0..1, or of 0..255 where one is
            above 1; then ``input_range`` is left out.
        deviation: What it wants them divided by then.
        input_order: The order of the colours that the generator takes.
        output_order: The order of the colours that it gives.
        guided: How many times smaller, each way, the picture is that the generator computes on; its result is applied
            to the large picture of ``sizes`` by a guided upsampling. 1 for a generator that computes on all of it.
        strokes: With ``guided``, the share of the generator's own strokes that is drawn, enlarged, over what the large
            picture's edges explain.
        states: Inputs that get what an output gave for the frame before, and zeros for the first: input and output.
        second: The input that is a second picture: of one channel a mask, of three a picture in ``input_range``.
        alpha: The output of one channel, 0..1, that becomes the alpha of the picture.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    source: str = ""
    architecture: str = ""
    sizes: Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)] = ((256, 256),)
    resize: Literal["stretch", "fit", "crop", "tile"] = "stretch"
    license: str = "unknown"
    license_file: str = ""
    attribution: tuple[Text, ...] = ()
    description: Text = ""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")] = "1.0"
    input_range: tuple[float, float] | None = None
    output_range: tuple[float, float] | None = None
    input: str = ""
    output: str = ""
    constants: dict[str, float | str] = Field(default_factory=dict)
    mean: tuple[float, float, float] | None = None
    deviation: tuple[float, float, float] | None = None
    input_order: Literal["RGB", "BGR"] = "RGB"
    output_order: Literal["RGB", "BGR"] = "RGB"
    states: dict[str, str] = Field(default_factory=dict)
    second: str = ""
    alpha: str = ""
    guided: Annotated[int, Field(ge=1, le=16)] = 1
    strokes: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def generator_size(self) -> Size:
        """The first size that the generator computes at: a part of ``sizes`` where the output is guided.

        Example:
            >>> Filter(name="wave", sizes=[[720, 1280]], guided=4).generator_size
            (180, 320)
        """
        height, width = self.sizes[0]
        return height // self.guided, width // self.guided

    @model_validator(mode="after")
    def _guided_output_is_asked_for_rightly(self) -> Self:
        if self.output == "guided":
            raise ValueError(
                "output is the name of a model's output; for guided output say how many times smaller the generator's "
                "picture is: guided = 4"
            )
        if self.guided > 1 and (self.states or self.second or self.alpha):
            raise ValueError(
                "guided output has one picture in and one out; leave out guided, or states, second and alpha"
            )
        if self.strokes and self.guided == 1:
            raise ValueError("strokes is of guided output; add guided, for instance 4")
        return self

    @model_validator(mode="after")
    def _ranges_have_width(self) -> Self:
        for name in ("input_range", "output_range"):
            found = getattr(self, name)
            if found is not None and not _is_range(*found):
                raise ValueError(
                    f"{name} is {list(found)}, expected [low, high] with low < high, within ±{LARGEST:g} and at least "
                    f"{NARROWEST:g} apart"
                )
        return self

    @model_validator(mode="after")
    def _sizes_differ(self) -> Self:
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError(f"sizes holds one twice: {[list(size) for size in self.sizes]}")
        return self


def _is_range(low: float, high: float) -> bool:
    return max(abs(low), abs(high)) <= LARGEST and high - low >= NARROWEST


class Pictures(Table):
    """Folders of pictures, relative to the recipe; empty means the pictures that ship with Pocketlens.

    Attributes:
        calibrate: Pictures that quantization may look at.
        judge: Pictures that every artifact is compared on; the worst one counts. None of them may also calibrate or
            train.
        train: Photographs that a student learns on; without it the folder of ``calibrate``.
        clip: A video or a folder of frames to measure flicker on; without it one is made from the first judge picture.
    """

    calibrate: str = ""
    judge: str = ""
    train: str = ""
    clip: str = ""


def _precision_of(target: str) -> AfterValidator:
    def check(precision: str) -> str:
        try:
            return target_named(target).precision(precision).name
        except InputError as error:
            raise ValueError(f"{error.what}; {error.do}") from error

    return AfterValidator(check)


RENAMED_KEYS = {"compress.half": "half_res_channels", "compress.whole": "instance_norm"}
"""Keys of earlier versions and what they are called now: a recipe that has one is refused with its new name."""

_LATER = {"cut": "channels"}
"""Fields of ``[compress]`` that students were trained without, and what they stand for in those."""

_Int8Steps = Annotated[int, Field(ge=0, le=10_000_000)]


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
    int8_steps: _Int8Steps = 0
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


def _expression(text: str) -> str:
    if reason := patterns.problem(text):
        raise ValueError(f"{text[:60]!r} is no regular expression that can be searched for: {reason}")
    return text


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
    match: Annotated[Text, AfterValidator(_expression)] = ""
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


def _short(value: Any) -> Any:
    """``rewrites = "auto"`` for a table with only ``keep`` in it."""
    return {"keep": value} if isinstance(value, str | list | tuple) else value


class Rewrites(Table):
    """The exact rewrites of the graph that targets get.

    Attributes:
        keep: ``"none"``; ``"safe"``, each target's set that needs no measuring; ``"auto"``, those that are faster on
            the machine that builds; or their names.
    """

    keep: Annotated[str | tuple[str, ...], BeforeValidator(_kept)] = "safe"


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


class Gate(Table):
    """Limits on the worst judge picture, compared with the teacher's; a limit that is left out is not judged.

    Attributes:
        psnr: PSNR in dB, at least.
        ssim: SSIM, at least; 1 for equal pictures.
        flip: FLIP, the mean difference that a person sees, 0..1, at most.
        flicker: Flicker in values of 0..255, at most: the change between two frames of the clip beyond the teacher's
            own, of the worst two. Only low-bit artifacts are judged by it.
        identity: Similarity of a person before and after the filter, at least, of the worst face in the judge
            pictures; 1 for the same picture. It needs the extra ``likeness``.
        skin: How much further the filter moves lightness and hue of skin in the worst of ten tones than in the best, at
            most, in CIELAB.
    """

    psnr: Limit | None = None
    ssim: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    flip: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    flicker: Limit | None = None
    identity: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    skin: Limit | None = None


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
    int8_steps: Annotated[tuple[_Int8Steps, ...], Field(max_length=16)] = ()
    first_rung: Annotated[int, Field(ge=1, le=10_000_000)] = 250
    sizes: Annotated[tuple[Size, ...], Field(max_length=16)] = ()
    rewrites: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)] = ("safe",)
    keep_float: Annotated[tuple[Annotated[Text, AfterValidator(_expression)], ...], Field(max_length=16)] = ()
    runtimes: tuple[str, ...] = ()
    threads: tuple[Annotated[int, Field(ge=1, le=256)], ...] = ()
    accelerators: tuple[str, ...] = ()
    sampler: Literal["tpe", "random"] = "tpe"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7


class BundleOptions(Table):
    """What a bundle holds besides its artifacts.

    Attributes:
        web: Whether to add ``web/``, a page that plays the filter in a browser; it needs a TFLite target.
        keep_slower: Whether files of integer arithmetic stay that a build measured to be slower than the floats of the
            same target. For a bundle for other machines say ``true``: what pays there was not measured.
    """

    web: bool = False
    keep_slower: bool = False


class Budget(Table):
    """Limits on time, size and memory; a limit that is left out is not judged.

    Attributes:
        fps: Frames in a second, at least.
        frame_ms: Milliseconds of a frame, at most; says the same as ``fps``.
        percentile: The percentile of the frame times that ``fps`` or ``frame_ms`` is judged on.
        first_frame_ms: Milliseconds for loading an artifact and its first frame together, at most, once the runtime's
            library is imported.
        size_mb: Megabytes (10⁶ bytes) of an artifact's files, at most.
        memory_mb: Megabytes of resident memory that runtime and artifact add to a process, at most.
        preset: The name of published limits: ``snap-lens``, ``tiktok-effect`` or ``youtube-shorts``. The keys above
            replace its own.
    """

    fps: Limit | None = None
    frame_ms: Limit | None = None
    percentile: Annotated[float, Field(ge=50, lt=100, strict=True)] = 95
    first_frame_ms: Limit | None = None
    size_mb: Limit | None = None
    memory_mb: Limit | None = None
    preset: str = ""

    @model_validator(mode="after")
    def _one_frame_time(self) -> Self:
        if self.fps is not None and self.frame_ms is not None:
            raise ValueError("fps and frame_ms say the same thing; give one")
        return self


_Mode = Literal["require", "report", "off"]
_AcceleratorKeys: Any = create_model(
    "_AcceleratorKeys", __base__=Table, **{a.key: (_Mode, a.mode) for a in ACCELERATORS.values()}
)  # type: ignore[call-overload]
"""A key for each of :data:`pocketlens.placement.ACCELERATORS`."""


class Accelerators(_AcceleratorKeys):
    """Whether accelerators are asked how they compute the artifacts of their targets.

    There is a key for each of :data:`pocketlens.placement.ACCELERATORS`. ``"report"``: the table of placements shows
    it, and one that cannot be asked here is shown as not checked. ``"require"``: the build fails unless the
    accelerator computes every such artifact wholly, and with the teacher's picture. ``"off"``: it is not asked. The
    browser's are off where the bundle holds no page for it.
    """

    @model_validator(mode="after")
    def _rules_require_nothing(self) -> Self:
        for accelerator in ACCELERATORS.values():
            if not accelerator.executes and getattr(self, accelerator.key) == "require":
                raise ValueError(f"{accelerator.key}: nothing is executed there, so nothing can be required")
        return self

    def mode(self, accelerator: str) -> str:
        """``require``, ``report`` or ``off`` of a name of the table.

        Example:
            >>> Accelerators(litert_gpu="off").mode("litert-gpu")
            'off'
        """
        mode: str = getattr(self, ACCELERATORS[accelerator].key)
        return mode


class Recipe(TomlFile):
    """A whole recipe.

    Example:
        >>> recipe = Recipe.parse("[filter]\\nname = 'wave'\\nsource = 'wave.npz'\\n[targets]\\ntflite = ['fp16']")
        >>> recipe.filter.sizes, recipe.targets.chosen()
        (((256, 256),), {'tflite': ('fp16',)})
    """

    renamed: ClassVar[Mapping[str, str]] = RENAMED_KEYS

    filter: Filter
    targets: Targets
    pictures: Pictures = Pictures()
    rewrites: Annotated[Rewrites, BeforeValidator(_short)] = Rewrites()
    quantize: Quantize = Quantize()
    chips: Chips = Chips()
    gate: Gate = Gate()
    budget: Budget = Budget()
    accelerators: Accelerators = Accelerators()
    compress: Compress | None = None
    search: Search = Search()
    bundle: BundleOptions = BundleOptions()

    @model_validator(mode="after")
    def _page_plays_something(self) -> Self:
        if self.bundle.web and "tflite" not in self.targets.chosen():
            raise ValueError("bundle.web needs a file that browsers play; for instance: tflite = ['fp16', 'w8']")
        return self

    @property
    def asked_accelerators(self) -> Accelerators:
        """``[accelerators]``, in which the browser's are asked where the bundle gets a page for it.

        Example:
            >>> text = "[filter]\\nname = 'wave'\\n[targets]\\ntflite = ['fp16']\\n[bundle]\\nweb = true"
            >>> Recipe.parse(text).asked_accelerators.mode("web-wasm")
            'report'
        """
        own = self.accelerators.model_fields_set
        keys = [key for key in ("web_wasm", "web_webgpu") if self.bundle.web and key not in own]
        asked: Accelerators = self.accelerators.model_copy(update=dict.fromkeys(keys, "report"))
        return asked

    def text(self) -> str:
        """The recipe as TOML; :meth:`parse` reads it back equal."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_unset=True, exclude_none=True))
