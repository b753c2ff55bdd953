"""``[filter]`` and ``[pictures]``: the generator, and the pictures that it is judged by."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pocketlens.recipe.values import Size
from pocketlens.toml_file import Table, Text

LARGEST = 1e6
"""Largest number in a value range; beyond it float32 has no room for the steps between pixels."""
NARROWEST = 1e-6
UNSAID = "unknown"
"""The licence of weights of which nobody has said one."""


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
    license: str = UNSAID
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
