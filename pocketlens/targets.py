"""The targets: every fact about a file format that another room needs, and the names of the artifacts.

A new target is one package under ``pocketlens/converters`` and one entry of :data:`TARGETS`; ``tests/targets`` admits
it. No module outside a target's own package asks which target it has by name.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pocketlens.chips import SNAPDRAGON, Chip
from pocketlens.errors import InputError
from pocketlens.precisions import PRECISIONS, Floors, Precision
from pocketlens.quick_dataclass import dataclass

Layout = Literal["NCHW", "NHWC"]


@dataclass(frozen=True)
class QuantizerPlacement:
    """Where a target's integer kernels want values rounded.

    Attributes:
        outputs: Outputs of convolutions as well: without it the integer kernel is not taken.
        biases: Biases as int32 with the scale of the sums.
        products: Most convolutions of 8 bits are products of matrices, whose outputs and biases stay floats
            (:mod:`pocketlens.converters.quantization.products`): ``outputs`` and ``biases`` are for all others.
        pair_sums: The sums of two neighbouring products stay within 16 bits, since processors without dot products of
            bytes clip them.
        dynamic_ranges: The runtime finds ranges itself, picture by picture. What lies outside of the calibrated range
            is cut off before, so that a single bright spot does not cost all other values their levels.
        everywhere: Every value: the processor computes nothing in floats. What a plan keeps in float computes in 16
            bits (:mod:`pocketlens.converters.quantization.everywhere`).
    """

    outputs: bool = False
    biases: bool = False
    products: bool = False
    pair_sums: bool = False
    dynamic_ranges: bool = False
    everywhere: bool = False


@dataclass(frozen=True)
class Snippet:
    """Code for an app that a bundle with this target holds.

    Attributes:
        path: In the bundle; ``{class_name}`` stands for the filter's name as classes are written.
        template: Its template in ``pocketlens/bundle/templates``.
    """

    path: str
    template: str


@dataclass(frozen=True)
class Target:
    """A file format to emit.

    Attributes:
        name: As recipes and file names have it.
        title: As people write it.
        package: Emits it: a module with ``refusals`` and ``emit`` (:class:`pocketlens.converters.emitter.Emitter`).
        suffix: Of an artifact's file or folder.
        layout: The order of the axes of pictures in and out.
        precisions: That it can be emitted in.
        runtimes: That play it, in order of preference; the first that is usable here verifies it.
        accelerators: That those runtimes can play it on: ``cpu``, ``gpu``, ``npu``.
        beside: Suffixes of files that belong to an artifact and lie beside it.
        dtype: The number type of pixels in and out; empty where it follows from the precision.
        min_os: The oldest system that plays it, and by precision where that is another; empty if any does.
        rewrites: Rewrites that are faster wherever they were measured, in the order in which they run.
        quantizers: Where its integer kernels want values rounded.
        min_int8_input_channels: Input channels under which an integer convolution is slower than a float one.
        layer_times: How the times of its layers are measured: of the emitted ``file``, of the ``graph`` as ONNX since
            the file renames nodes, or of each of its ``nodes`` as a file of its own since the runtime tells nothing of
            layers; ``none`` where only an emulator plays it here.
        snippets: Code for apps.
        extra: The extra that installs its compiler, where that is not in ``build``. Commands that are given no target
            leave it out.
        chips: That its files are compiled for, each file for one; empty where a file is for every processor.
        notice: What ``LICENSES/NOTICE`` of a bundle says of its files; empty where there is nothing to say.
        takes_extras: Whether its files can have a second picture, states and alpha beside the picture.
    """

    name: str
    title: str
    package: str
    suffix: str
    layout: Layout
    precisions: tuple[Precision, ...]
    runtimes: tuple[str, ...]
    accelerators: tuple[str, ...]
    beside: tuple[str, ...] = ()
    dtype: str = ""
    min_os: tuple[tuple[str, str], ...] = ()
    rewrites: tuple[str, ...] = ()
    quantizers: QuantizerPlacement = QuantizerPlacement()
    min_int8_input_channels: int = 0
    layer_times: Literal["file", "graph", "nodes", "none"] = "file"
    snippets: tuple[Snippet, ...] = ()
    extra: str = ""
    chips: tuple[Chip, ...] = ()
    notice: str = ""
    takes_extras: bool = True

    @property
    def precision_names(self) -> tuple[str, ...]:
        """The names of its precisions, in order."""
        return tuple(precision.name for precision in self.precisions)

    @property
    def float_precision(self) -> str:
        """Its most exact precision in which nothing is quantized."""
        return next(precision.name for precision in self.precisions if not precision.is_low_bit)

    def precision(self, name: str) -> Precision:
        """One of its precisions.

        Raises:
            InputError: It has no such precision; the message says which targets have it, and what this one has.

        Example:
            >>> TARGETS["tflite"].precision("int8").dtype
            'uint8'
        """
        for precision in self.precisions:
            if precision.name == name:
                return precision
        elsewhere = [target.name for target in TARGETS.values() if name in target.precision_names]
        there = f" ({', '.join(elsewhere)} has it)" if elsewhere else ""
        raise InputError(
            f"{self.name} has no precision {name!r}{there}", do=f"choose from {', '.join(self.precision_names)}"
        )

    def chip(self, name: str) -> Chip:
        """One of its chips, whatever the case of its letters.

        Raises:
            InputError: It is compiled for no such chip; the message lists those that there are.

        Example:
            >>> TARGETS["qnn"].chip("SM8650").title
            'Snapdragon 8 Gen 3'
        """
        for chip in self.chips:
            if chip.name == name.lower():
                return chip
        known = ", ".join(f"{chip.name} ({chip.title})" for chip in self.chips)
        raise InputError(
            f"{self.name} has no chip {name!r}", do=f"choose from {known}" if known else "leave the chip out"
        )

    def chip_names(self, precision: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
        """The chips to compile a precision for: those that are wanted, or every one; one empty name where the target
        has no chips.

        Raises:
            InputError: There is no such chip, or it does not compute in the precision.

        Example:
            >>> TARGETS["qnn"].chip_names("fp16", ["SM8650"]), TARGETS["tflite"].chip_names("fp16")
            (('sm8650',), ('',))
        """
        if not self.chips:
            return ("",)
        integers = self.precision(precision).quantizes == "activations"
        chosen = [self.chip(name) for name in wanted] or [chip for chip in self.chips if integers or chip.floats]
        for chip in chosen:
            if not integers and not chip.floats:
                raise InputError(
                    f"the {self.title} processor of {chip.name} ({chip.title}) computes in integers only, not in"
                    f" {precision}",
                    do="ask for int8 or int8-a16, or leave the chip out",
                )
        return tuple(dict.fromkeys(chip.name for chip in chosen))

    def oldest_system(self, precision: str) -> str:
        """The oldest system that plays it in a precision; empty if any does.

        Example:
            >>> TARGETS["coreml"].oldest_system("w8"), TARGETS["coreml"].oldest_system("int8")
            ('iOS 16, macOS 13', 'iOS 17, macOS 14')
        """
        systems = dict(self.min_os)
        return systems.get(precision, systems.get("", ""))


def _precisions(*names: str) -> tuple[Precision, ...]:
    return tuple(PRECISIONS[name] for name in names)


_QUALCOMM = (
    "The files for Snapdragon chips were compiled with Qualcomm's AI Stack, which onnxruntime-qnn brings. Its licence"
    " lets an application be shipped with what it holds of that software, in object code, and grants no right to pass"
    " the software on by itself; it lists uses that it forbids. Read Qualcomm_LICENSE.pdf in the package"
    " onnxruntime-qnn before you ship them."
)
TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="onnx",
            title="ONNX",
            package="pocketlens.converters.onnx",
            suffix=".onnx",
            layout="NCHW",
            precisions=_precisions("fp32", "fp16", "w8", "int8", "int8-a16"),
            runtimes=("onnxruntime", "openvino"),
            accelerators=("cpu", "gpu"),
            rewrites=(
                "enlarge-last", "pack-thin-conv", "keep-packed", "winograd-conv", "average-by-axis",
                "enlarge-by-products",
            ),
            quantizers=QuantizerPlacement(outputs=True, biases=True, products=True, pair_sums=True),
            snippets=(Snippet("snippets/python/with_onnxruntime.py", "with_onnxruntime.py.jinja"),),
        ),
        Target(
            name="openvino",
            title="OpenVINO",
            package="pocketlens.converters.openvino",
            suffix=".xml",
            layout="NCHW",
            precisions=_precisions("fp32", "fp16", "w8", "int8"),
            runtimes=("openvino",),
            accelerators=("cpu", "gpu", "npu"),
            beside=(".bin",),
            rewrites=(
                "enlarge-last", "pack-thin-conv", "shuffle-last", "winograd-conv", "keep-rows", "average-by-axis",
                "enlarge-by-products",
            ),
            quantizers=QuantizerPlacement(pair_sums=True),
            layer_times="graph",
        ),
        Target(
            name="tflite",
            title="TFLite",
            package="pocketlens.converters.tflite",
            suffix=".tflite",
            layout="NHWC",
            precisions=_precisions("fp32", "fp16", "w8", "int8"),
            runtimes=("litert",),
            accelerators=("cpu", "gpu", "npu"),
            # Not winograd-conv: faster on this project's processors, but a phone's file would be twice as large and a
            # GPU would have 2.3 times as many operators to start (docs/decisions/0020).
            rewrites=("enlarge-last", "pack-thin-conv", "keep-packed", "sub-pixel-conv", "shuffle-last"),
            quantizers=QuantizerPlacement(dynamic_ranges=True),
            # LiteRT's kernel fills fewer channels up with zeros: 9 x 9, 3 to 32 channels at 256 x 256 took 16.5 ms in
            # integers and 8.1 in floats.
            min_int8_input_channels=8,
            layer_times="nodes",
            snippets=(Snippet("snippets/android/{class_name}.kt", "filter.kt.jinja"),),
        ),
        Target(
            name="coreml",
            title="Core ML",
            package="pocketlens.converters.coreml",
            suffix=".mlpackage",
            layout="NCHW",
            precisions=_precisions("fp32", "fp16", "w8", "int8", "palette8", "palette6", "palette4"),
            runtimes=("coreml", "mil"),
            accelerators=("cpu", "gpu", "npu"),
            dtype="image",
            min_os=(("", "iOS 16, macOS 13"), ("int8", "iOS 17, macOS 14")),
            snippets=(Snippet("snippets/ios/{class_name}.swift", "filter.swift.jinja"),),
        ),
        Target(
            name="qnn",
            title="Snapdragon NPU",
            package="pocketlens.converters.qnn",
            suffix=".onnx",
            layout="NCHW",
            precisions=_precisions("fp16", "int8", "int8-a16"),
            runtimes=("qnn",),
            accelerators=("npu",),
            beside=(".bin",),
            dtype="uint8",
            quantizers=QuantizerPlacement(biases=True, everywhere=True),
            layer_times="none",
            snippets=(Snippet("snippets/android/{class_name}Npu.kt", "npu.kt.jinja"),),
            extra="qnn",
            takes_extras=False,
            chips=SNAPDRAGON,
            notice=_QUALCOMM,
        ),
        Target(
            name="coreai",
            title="Core AI",
            package="pocketlens.converters.coreai",
            suffix=".aimodel",
            layout="NCHW",
            precisions=_precisions("fp32", "fp16", "w8", "int8", "palette8", "palette6", "palette4"),
            runtimes=("coreai",),
            accelerators=("cpu", "gpu", "npu"),
            dtype="image",
            min_os=(("", "iOS 27, macOS 27"),),
            # Core AI's transposed convolution of float16 also sums in float16, its convolution in float32.
            rewrites=("sub-pixel-conv",),
            snippets=(Snippet("snippets/ios/{class_name}CoreAI.swift", "coreai.swift.jinja"),),
            extra="coreai",
            takes_extras=False,
        ),
    )
}  # fmt: skip
"""Every target by its name, in the order in which tables show them."""


def every_target() -> tuple[str, ...]:
    """The targets of a command that is given none: those that need no extra of their own.

    Example:
        >>> "tflite" in every_target(), "qnn" in every_target()
        (True, False)
    """
    return tuple(name for name, target in TARGETS.items() if not target.extra)


def target_named(name: str) -> Target:
    """A target.

    Raises:
        InputError: There is no such target; the message lists what there is.
    """
    if name not in TARGETS:
        raise InputError(f"there is no target {name!r}", do=f"choose from {', '.join(TARGETS)}")
    return TARGETS[name]


@dataclass(frozen=True)
class ArtifactSpec:
    """Which artifact: a target in a precision at a size.

    Attributes:
        target: A name of :data:`TARGETS`.
        precision: The name of a precision that the target has.
        size: Height and width in pixels.
        chip: That it is compiled for, where the target's files are for one; left out, the first that computes in the
            precision.
        partly_on_cpu: Whether operators that the chip's accelerator lacks may be left to its processor.

    Raises:
        InputError: There is no such target, or it has no such precision or chip.

    Example:
        >>> spec = ArtifactSpec("tflite", "int8", (256, 384))
        >>> spec.id, spec.filename, spec.layout, spec.dtype
        ('tflite-int8-256x384', 'tflite-int8-256x384.tflite', 'NHWC', 'uint8')
        >>> ArtifactSpec("qnn", "fp16", (256, 384), "sm8650").filename
        'qnn-fp16-256x384-sm8650.onnx'
    """

    target: str
    precision: str
    size: tuple[int, int]
    chip: str = ""
    partly_on_cpu: bool = False

    def __post_init__(self) -> None:
        self.format.precision(self.precision)
        if self.chip:
            self.format.chip(self.chip)
        chips = self.format.chip_names(self.precision, [self.chip] if self.chip else ())
        object.__setattr__(self, "chip", chips[0])

    @property
    def format(self) -> Target:
        """Everything that is known of its target."""
        return target_named(self.target)

    @property
    def arithmetic(self) -> Precision:
        """Everything that is known of its precision."""
        return self.format.precision(self.precision)

    @property
    def id(self) -> str:
        """``<target>-<precision>-<height>x<width>``, and ``-<chip>`` where it is for one."""
        chip = f"-{self.chip}" if self.chip else ""
        return f"{self.target}-{self.precision}-{self.size[0]}x{self.size[1]}{chip}"

    @property
    def filename(self) -> str:
        """The name of its file or folder."""
        return self.id + self.format.suffix

    def path(self, folder: Path) -> Path:
        """Its file or folder in ``folder``."""
        return folder / self.filename

    @property
    def layout(self) -> Layout:
        """The order of the axes of pictures in and out."""
        return self.format.layout

    @property
    def dtype(self) -> str:
        """The number type of pixels in and out."""
        return self.format.dtype or self.arithmetic.dtype

    @property
    def floors(self) -> Floors:
        """The least dB that it must reach."""
        return self.arithmetic.floors

    @property
    def min_os(self) -> str:
        """The oldest system that plays it; empty if any does."""
        return self.format.oldest_system(self.precision)
