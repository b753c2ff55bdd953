"""The options that several commands share: a flag has one meaning, one help text and one short form, whoever takes it.

``--device`` is where something runs, ``--accelerator`` what computes there, ``--precision`` the artifact's,
``--compute-precision`` the arithmetic's. What only one command takes stands in that command's file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from pocketlens.converters.signature import Order, Signature, parse_constant, parse_state
from pocketlens.errors import InputError
from pocketlens.precisions import PRECISIONS
from pocketlens.targets import TARGETS

MAX_THREADS = 256
_SEVERAL = " Several: repeat it, or give A,B."
_MODEL = "A checkpoint, an .onnx or .tflite file, hf:FOLDER, builtin:NAME or module:factory."

# -- what is read --

Model = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL)]
ModelOrBundle = Annotated[str, typer.Argument(metavar="MODEL", help=f"{_MODEL} Or a bundle.")]
Recipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, a TOML file.")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: a folder or a .zip.")]

STYLE = (
    "Of a pack that plays: a style's name, or a blend such as ink=0.5,oil=0.5. To make a filter: a painting's file; "
    "needs the extra style, or --vgg."
)

# -- how a model is taken --

Architecture = Annotated[
    str,
    typer.Option(
        "-a",
        "--architecture",
        metavar="NAME",
        help="A checkpoint's architecture: a name that zoo lists. Other models need none.",
    ),
]
Size = Annotated[str, typer.Option("--size", metavar="HxW", help="Height x width in pixels.")]
Guided = Annotated[
    int,
    typer.Option(
        "--guided", metavar="N", min=1, max=16,
        help="Compute on a picture N times smaller each way, and apply the result to the large one.",
    ),
]  # fmt: skip
Strokes = Annotated[
    float,
    typer.Option(
        "--strokes", metavar="SHARE", min=0, max=1,
        help="With --guided: how much of the generator's own strokes is drawn over it, 0 to 1.",
    ),
]  # fmt: skip
InputRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--input-range",
        metavar="LOW HIGH",
        help="Values that the model takes for black and white.",
        show_default="the architecture's, else 0 255",
    ),
]
OutputRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--output-range",
        metavar="LOW HIGH",
        help="Values that the model gives for black and white.",
        show_default="the architecture's, else 0 255",
    ),
]
InputName = Annotated[
    str,
    typer.Option(
        "--input", metavar="NAME", help="Which input is the picture.", show_default="the only one that is not fixed"
    ),
]
OutputName = Annotated[
    str,
    typer.Option(
        "--output",
        metavar="NAME",
        help="Which output is the picture; NAME.1 is one channel of it, NAME.0:3 the first three. "
        "Of a module that returns several: its place or key.",
        show_default="the only one",
    ),
]
Constants = Annotated[
    list[str] | None,
    typer.Option(
        "--constant",
        metavar="NAME=VALUE",
        help="Fix another input to a number or to the array of a .npy file; NAME.3=VALUE fixes a fourth channel of "
        "the picture. Several: repeat it.",
    ),
]
Mean = Annotated[
    tuple[float, float, float] | None,
    typer.Option(
        "--mean",
        metavar="R G B",
        help="What the model wants subtracted from each colour, in 0..1, or in 0..255 if one is above 1.",
    ),
]
Deviation = Annotated[
    tuple[float, float, float] | None,
    typer.Option("--deviation", metavar="R G B", help="What the model wants each colour divided by after that."),
]
InputOrder = Annotated[
    Order, typer.Option("--input-order", metavar="RGB|BGR", help="Order of the colours that the model takes.")
]
OutputOrder = Annotated[
    Order, typer.Option("--output-order", metavar="RGB|BGR", help="Order of the colours that the model gives.")
]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="INPUT=OUTPUT",
        help="An input that takes what an output gave for the frame before; zeros for the first frame. "
        "Several: repeat it.",
    ),
]
SecondName = Annotated[
    str,
    typer.Option(
        "--second", metavar="NAME", help="The input that is a second picture, or a mask if it has one channel."
    ),
]
AlphaName = Annotated[
    str, typer.Option("--alpha", metavar="NAME", help="The output, 0 to 1, that becomes the alpha of the picture.")
]


@dataclass(frozen=True)
class Taken:
    """How a model is taken: these options belong together, and every command that takes a model has them all.

    :func:`pocketlens.cli.command` makes a flag of each field.

    Example:
        >>> Taken(constant=["ratio=0.25"]).signature.constants
        (('ratio', '0.25'),)
    """

    architecture: Architecture = ""
    size: Size = "256x256"
    input_range: InputRange = None
    output_range: OutputRange = None
    input: InputName = ""
    output_name: OutputName = ""
    constant: Constants = None
    mean: Mean = None
    deviation: Deviation = None
    input_order: InputOrder = "RGB"
    output_order: OutputOrder = "RGB"
    state: States = None
    second: SecondName = ""
    alpha: AlphaName = ""

    @property
    def height_width(self) -> tuple[int, int]:
        """``--size`` in pixels.

        Raises:
            InputError: It is no size.
        """
        return parse_size(self.size)

    @property
    def ranges(self) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """The values of black and white, that are taken and that are given."""
        return self.input_range, self.output_range

    @property
    def signature(self) -> Signature:
        """What the options about inputs and outputs say together.

        Raises:
            InputError: One of them is wrong.
        """
        return Signature(
            self.input,
            self.output_name,
            tuple(parse_constant(text) for text in self.constant or ()),
            self.mean,
            self.deviation,
            self.input_order,
            self.output_order,
            tuple(parse_state(text) for text in self.state or ()),
            self.second,
            self.alpha,
        )


License = Annotated[
    str, typer.Option("--license", metavar="SPDX", help="Licence of the weights; it goes into every artifact.")
]

# -- what is made of it --

_TARGET = f"What to write files for: {', '.join(TARGETS)}."


def targets(default: str) -> OptionInfo:
    """``-t``, ``--target``; says what is taken where it is left out."""
    option: OptionInfo = typer.Option("-t", "--target", metavar="NAME", help=_TARGET + _SEVERAL, show_default=default)
    return option


Targets = Annotated[list[str] | None, targets("all that need no extra of their own")]
_PRECISION = f"The artifact's precision: {', '.join(PRECISIONS)}; not every target has each."
Precision = Annotated[str, typer.Option("-p", "--precision", metavar="NAME", help=_PRECISION)]


def precisions(default: str) -> OptionInfo:
    """``-p``, ``--precision``, several; says what is taken where it is left out."""
    option: OptionInfo = typer.Option(
        "-p", "--precision", metavar="NAME", help=_PRECISION + _SEVERAL, show_default=default
    )
    return option


Precisions = Annotated[list[str] | None, precisions("fp16")]
_REWRITES = (
    "Rewrites of the graph: none, safe (those that need no measuring), auto (those that are faster here), "
    "or their names: A,B."
)
Rewrites = Annotated[str, typer.Option("--rewrites", metavar="CHOICE", help=_REWRITES)]
RecipesRewrites = Annotated[
    str | None, typer.Option("--rewrites", metavar="CHOICE", help=_REWRITES, show_default="as the recipe says")
]
Chips = Annotated[
    list[str] | None,
    typer.Option(
        "--chip",
        metavar="NAME",
        help="Chips to compile for, such as sm8650, where a target's file is for one chip (qnn)." + _SEVERAL,
        show_default="all that the target knows",
    ),
]
Judge = Annotated[
    Path | None,
    typer.Option(
        "--judge", metavar="FOLDER", help="Pictures that artifacts are judged on.", show_default="those that ship"
    ),
]
Calibrate = Annotated[
    Path | None,
    typer.Option(
        "--calibrate",
        metavar="FOLDER",
        help="Pictures that quantization calibrates with; none of them may judge.",
        show_default="those that ship",
    ),
]

# -- where and how it runs --

_DEVICE = "Where it runs: local, ssh://USER@HOST, adb:SERIAL (adb: for the only one), or web: for a phone's browser."
Device = Annotated[str, typer.Option("--device", metavar="PLACE", help=_DEVICE)]
Devices = Annotated[
    list[str] | None,
    typer.Option("--device", metavar="PLACE", help=f"{_DEVICE} Several: repeat it.", show_default="local"),
]
SshConfig = Annotated[
    Path | None,
    typer.Option("--ssh-config", metavar="FILE", help="Settings of ssh, for --device.", show_default="~/.ssh/config"),
]
BenchmarkModel = Annotated[
    Path | None,
    typer.Option("--benchmark-model", metavar="FILE", help="LiteRT's benchmark_model for an Android --device."),
]
_ARTIFACT = "Only this artifact, by its id: for instance tflite-fp16-256x256."
Artifact = Annotated[str | None, typer.Option("--artifact", metavar="ID", help=_ARTIFACT)]
Artifacts = Annotated[list[str] | None, typer.Option("--artifact", metavar="ID", help=_ARTIFACT + _SEVERAL)]
_RUNTIME = "Only this runtime: onnxruntime, openvino, litert, coreml, mil, qnn or coreai."
Runtime = Annotated[str | None, typer.Option("--runtime", metavar="NAME", help=_RUNTIME)]
PhoneRuntime = Annotated[str, typer.Option("--runtime", metavar="NAME", help=_RUNTIME)]
Runtimes = Annotated[list[str] | None, typer.Option("--runtime", metavar="NAME", help=_RUNTIME + _SEVERAL)]
_ACCELERATOR = "What computes: cpu, gpu, npu or auto, or a runtime's own name for it, such as xnnpack or none."
Accelerator = Annotated[
    str | None,
    typer.Option("--accelerator", metavar="NAME", help=_ACCELERATOR, show_default="the runtime's choice"),
]
Accelerators = Annotated[
    list[str] | None,
    typer.Option("--accelerator", metavar="NAME", help=_ACCELERATOR + _SEVERAL, show_default="the runtime's choice"),
]
_COMPUTE = "The arithmetic's precision, where a runtime can choose: fp32, fp16, bf16 or auto."
ComputePrecision = Annotated[
    str | None,
    typer.Option("--compute-precision", metavar="NAME", help=_COMPUTE, show_default="the runtime's choice"),
]
ComputePrecisions = Annotated[
    list[str] | None,
    typer.Option("--compute-precision", metavar="NAME", help=_COMPUTE + _SEVERAL, show_default="the runtime's choice"),
]
_THREADS = "Threads to compute with."
Threads = Annotated[int, typer.Option("--threads", metavar="N", min=1, max=MAX_THREADS, help=_THREADS)]
RuntimeThreads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, max=MAX_THREADS, help=_THREADS, show_default="the runtime's choice"),
]
SeveralThreads = Annotated[
    list[str] | None,
    typer.Option("--threads", metavar="N", help=_THREADS + _SEVERAL, show_default="the runtime's choice"),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", metavar="N", min=0.001, help="Budget: frames a second; a measurement is judged at p95."),
]
Bench = Annotated[bool, typer.Option("--bench/--no-bench", help="Measure on this machine.")]
History = Annotated[
    Path | None,
    typer.Option(
        "--history",
        metavar="FOLDER",
        help="Keeps measurements over time: bench adds to it, compare sets the newest of each device beside the last.",
    ),
]

# -- what is printed and written --

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def out(help: str, default: str = "") -> OptionInfo:
    """``-o``, ``--out``: the folder or file that a command writes.

    Args:
        help: What is written there; each command says it in its own words.
        default: What to show as the default, where that is not in the command's signature.
    """
    option: OptionInfo = typer.Option("-o", "--out", metavar="PATH", help=help, show_default=default or True)
    return option


def several(values: Sequence[str] | None) -> tuple[str, ...]:
    """What an option that may be repeated, or holds a list with commas, names; each once.

    Example:
        >>> several(["xnnpack, none", "none"])
        ('xnnpack', 'none')
    """
    parts = [part.strip() for value in values or () for part in value.split(",")]
    return tuple(dict.fromkeys(part for part in parts if part))


def thread_counts(values: Sequence[str] | None) -> tuple[int, ...]:
    """Numbers of threads, as :func:`several`.

    Raises:
        InputError: One is no number from 1 to 256.

    Example:
        >>> thread_counts(["1,2", "4"])
        (1, 2, 4)
    """
    counts = several(values)
    for count in counts:
        if not (count.isdecimal() and 1 <= int(count) <= MAX_THREADS):
            raise InputError(
                f"--threads has {count!r}, expected numbers from 1 to {MAX_THREADS}", do="for instance --threads 1,2"
            )
    return tuple(dict.fromkeys(map(int, counts)))


def parse_size(text: str) -> tuple[int, int]:
    """``"HEIGHTxWIDTH"`` in pixels.

    Raises:
        InputError: It is not two numbers from 16 to 4096.

    Example:
        >>> parse_size("256x384")
        (256, 384)
    """
    parts = text.lower().split("x")
    if len(parts) == 2 and all(part.isdecimal() and 16 <= int(part) <= 4096 for part in parts):
        return int(parts[0]), int(parts[1])
    raise InputError(f"{text!r} is not a size", do="give HEIGHTxWIDTH from 16 to 4096, for instance 256x256")
