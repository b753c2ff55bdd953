"""What a runtime adapter is: one module in this folder with ``Player``, and one line in :data:`RUNTIMES`.

The documentation's page on adding a runtime shows how.
"""

import contextlib
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import MISSING, asdict, field, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from pocketlens import machine
from pocketlens.errors import InputError, MissingError, PocketlensError
from pocketlens.files import check_name, is_compiled, regular
from pocketlens.quick_dataclass import dataclass
from pocketlens.runtimes import data_files
from pocketlens.runtimes.ports import Layout, Port

_NEWER = re.compile(r"(?i)ir.?version|opset|op version|version \d+ .*(support|regist)|didn't find op|newer version")

PROCESSORS = ("cpu", "gpu", "npu", "auto")
"""The accelerators that are kinds of processors; ``auto`` is the kind that the runtime likes best."""


@dataclass(frozen=True)
class Options:
    """How to play an artifact. The names are the same in every runtime; None leaves the choice to the runtime.

    Attributes:
        threads: Number of threads.
        accelerator: What computes: ``cpu``, ``gpu``, ``npu`` or ``auto``, or a name of the runtime's own; see
            ``accelerators`` of each in :data:`RUNTIMES`.
        compute_precision: The arithmetic's, where the runtime can choose: ``fp32``, ``fp16``, ``bf16`` or ``auto``.
        size: Height and width to compute at, for an artifact that leaves them open.
        pixels: Whether the picture's input and output may be ``uint8 [1, H, W, 3]``, 0..255, where the runtime converts
            pixels to floats and back faster than numpy does.
        keep_compiled: Whether what the runtime compiles may be kept in the user's cache, where that makes the next
            loading quicker. Measurements leave it out, so that each loads anew.
        lean: Whether to take little memory, for more time: it is given back after each value and each play, and LiteRT
            plays a large file in a process of its own.
    """

    threads: int | None = None
    accelerator: str | None = None
    compute_precision: str | None = None
    size: tuple[int, int] | None = None
    pixels: bool = False
    keep_compiled: bool = False
    lean: bool = False


@dataclass(frozen=True)
class RuntimeInfo:
    """What a runtime says of itself once an artifact is loaded. None stands for what it does not tell.

    Attributes:
        runtime: Its name in :data:`RUNTIMES`.
        version: The library's version.
        threads: The number of threads that it computes with.
        precision: The precision that it really computes in.
        delegate: What computes inside the runtime, where that is not its default.
        library: The library's name, where several can play the same artifacts.
        partitions: How many parts of the graph a delegate computes.
        system: The operating system, where the runtime is a part of it.
        interpreted: Whether it plays an artifact step by step in Python, to check it and not for speed.
        emulated: Whether software stands in for the accelerator, so that times say nothing of it.
        elsewhere: The operators that the accelerator leaves to the processor.
    """

    runtime: str
    version: str
    threads: int | None
    precision: str
    delegate: str | None = None
    library: str | None = None
    partitions: int | None = None
    system: str | None = None
    interpreted: bool = False
    emulated: bool = False
    elsewhere: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON data: the first four fields, and of the others those that say something.

        Example:
            >>> RuntimeInfo("onnxruntime", "1.23.0", None, "fp32").document()
            {'runtime': 'onnxruntime', 'version': '1.23.0', 'threads': None, 'precision': 'fp32'}
        """
        required = {field.name for field in fields(self) if field.default is MISSING}
        return {key: value for key, value in asdict(self).items() if key in required or value not in (None, False, "")}


class Player(Protocol):
    """An artifact loaded in a runtime. Not for two threads at a time.

    A player whose ports are ``uint8`` because of :attr:`Options.pixels` also has a method ``exact``: it loads the same
    artifact again with the artifact's own number types.

    Attributes:
        inputs: The artifact's inputs, in the runtime's order.
        outputs: The artifact's outputs, in the runtime's order.
        runtime_info: What the runtime says of itself.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    runtime_info: RuntimeInfo

    def feed(self, index: int) -> NDArray[Any]:
        """The array to write an input into, of its port's type and shape; good until the next :meth:`run`."""
        ...

    def run(self) -> None:
        """Compute the outputs from what was written into the inputs.

        Raises:
            InputError: The artifact fails while it plays.
        """
        ...

    def result(self, index: int) -> NDArray[Any]:
        """An output, of its port's type and shape; good until the next :meth:`run`."""
        ...

    def close(self) -> None:
        """Free what the runtime holds; afterwards nothing else may be called."""
        ...


@dataclass(frozen=True)
class Runtime:
    """A runtime that can play artifacts.

    Attributes:
        name: As users write it.
        module: The adapter's module; it has a :class:`Player` that is made from a path and options, and
            ``version() -> str``.
        suffixes: The artifacts that it plays.
        libraries: Import names, one of which must be installed.
        distributions: Names of the packages that bring them; the first is the one to install.
        install: The command that installs it.
        platform: The only ``sys.platform`` that it runs on, or empty.
        machine: The only kind of processor that it runs on under Linux, as ``platform.machine()`` names it, or empty.
        glibc: The oldest C library of Linux that it runs with; zeros if any does.
        default_layout: The order of axes to assume in its artifacts where a shape fits both.
        accelerators: What it can be told to compute on: :data:`PROCESSORS`, and names of its own; ``"*"`` stands for
            the path of a library.
        compute_precisions: The precisions that it can be told to compute in.
        interpreted: Whether it is there to check artifacts: it interprets or emulates them, and is never chosen for
            its speed.
        plays_once: Whether a play takes seconds: one picture is compared then (of a pack one in each style), no clip.
        compiled: Whether it plays ``.onnx`` files that hold a compiled binary, and no others.
        caveat: A sentence for the README of a bundle whose artifacts it verified, where that leaves something open.
        modules: Accelerator → its own adapter's module, where that is not ``module``.
    """

    name: str
    module: str
    suffixes: tuple[str, ...]
    libraries: tuple[str, ...]
    distributions: tuple[str, ...]
    install: str
    platform: str = ""
    machine: str = ""
    glibc: tuple[int, int] = (0, 0)
    default_layout: Layout = "NCHW"
    accelerators: tuple[str, ...] = ("cpu",)
    compute_precisions: tuple[str, ...] = field(default=())
    interpreted: bool = False
    plays_once: bool = False
    compiled: bool = False
    caveat: str = ""
    modules: tuple[tuple[str, str], ...] = ()

    @property
    def processors(self) -> tuple[str, ...]:
        """Of the accelerators those that are kinds of processors."""
        return tuple(name for name in self.accelerators if name in PROCESSORS)

    @property
    def delegates(self) -> tuple[str, ...]:
        """Of the accelerators those that are the runtime's own names."""
        return tuple(name for name in self.accelerators if name not in PROCESSORS)

    def missing(self) -> str:
        """Why it cannot be used on this machine, or an empty string."""
        if self.platform and sys.platform != self.platform:
            return f"it runs on {'macOS' if self.platform == 'darwin' else self.platform} only"
        if sys.platform == "linux":
            if self.machine and machine.architecture() != self.machine:
                return f"it runs on {self.machine} only, this is {machine.architecture()}"
            if machine.glibc() < self.glibc:
                wanted, found = (".".join(map(str, version)) for version in (self.glibc, machine.glibc()))
                return f"it needs glibc {wanted} or newer, this system has {found if any(machine.glibc()) else 'none'}"
        if not any(find_spec(library) for library in self.libraries):
            return f"{self.libraries[0]} is not installed"
        return ""

    def plays(self, path: Path) -> bool:
        """Whether it plays files of this kind; an ``.onnx`` file is looked into."""
        return path.suffix in self.suffixes and (path.suffix != ".onnx" or is_compiled(path) == self.compiled)

    def open(self, path: Path, options: Options | int | None = None) -> Player:
        """Load an artifact.

        Args:
            path: The artifact.
            options: How to play it; a number stands for the threads alone.

        Raises:
            MissingError: The runtime is not installed, or does not run on this machine.
            InputError: The file is absent, is of a kind that this runtime does not play, or keeps values in files
                outside of its folder; or the runtime has no such option.
        """
        settings = options if isinstance(options, Options) else Options(threads=options)
        if reason := self.missing():
            raise MissingError(f"runtime {self.name!r} cannot be used: {reason}", do=self.install)
        if path.suffix in self.suffixes and not path.exists():
            raise InputError(f"{path} does not exist", do="check the path")
        if not self.plays(path):
            kinds = f"{', '.join(self.suffixes)}{' files that are compiled for a chip' if self.compiled else ''}"
            if path.suffix in self.suffixes and not self.compiled:
                kinds += " files, and this one is compiled for a chip"
            raise InputError(f"{self.name} does not play {path.name}", do=f"it plays {kinds}")
        self._check(settings)
        if not path.is_dir():
            regular(path)
        check_name(path)
        data_files.check(path)
        module = dict(self.modules).get(settings.accelerator or "", self.module)
        player: Player = import_module(module).Player(path, settings)
        return player

    def version(self) -> str:
        """The installed library's version."""
        version: str = import_module(self.module).version()
        return version

    def _check(self, options: Options) -> None:
        if options.threads is not None and options.threads < 1:
            raise InputError(
                f"threads is {options.threads}, expected at least 1", do="leave it out for the runtime's own choice"
            )
        for option, chosen, known in (
            ("accelerator", options.accelerator, self.accelerators),
            ("compute precision", options.compute_precision, self.compute_precisions),
        ):
            if chosen is not None and chosen not in known and not ("*" in known and Path(chosen).is_file()):
                names = ", ".join("a path of a library" if value == "*" else value for value in known)
                raise InputError(
                    f"{self.name} has no {option} {chosen!r}", do=f"choose from {names}" if known else "leave it out"
                )


def has(known: Collection[str], name: str) -> bool:
    """Whether a name is among those known, of which ``"*"`` stands for the path of any library.

    Example:
        >>> has(("xnnpack", "*"), "/opt/libdelegate.so"), has(("xnnpack", "*"), "gpu")
        (True, False)
    """
    return name in known or ("*" in known and "/" in name)


_HERE = "pocketlens.runtimes"
RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        # Core ML reaches the Neural Engine where there is one.
        Runtime(
            "coreml",
            f"{_HERE}.coreml",
            (".mlpackage",),
            ("coremltools",),
            ("coremltools",),
            "pip install coremltools",
            "darwin",
            default_layout="NHWC",
            accelerators=("auto", "cpu", "gpu", "npu"),
        ),
        # LiteRT is the smallest to install, and at home on phones and the Raspberry Pi.
        Runtime(
            "litert",
            f"{_HERE}.litert",
            (".tflite",),
            ("ai_edge_litert", "tflite_runtime"),
            ("ai-edge-litert", "tflite-runtime"),
            "pip install 'pocketlens[litert]'",
            default_layout="NHWC",
            accelerators=("cpu", "gpu", "xnnpack", "none", "*"),
            modules=(("gpu", f"{_HERE}.litert_gpu"),),
        ),
        Runtime(
            "onnxruntime",
            f"{_HERE}.onnxruntime",
            (".onnx",),
            ("onnxruntime",),
            ("onnxruntime",),
            "pip install 'pocketlens[onnxruntime]'",
            accelerators=("cpu", "gpu", "xnnpack", "cuda", "coreml", "dml", "nnapi", "qnn"),
        ),
        Runtime(
            "openvino",
            f"{_HERE}.openvino",
            (".xml", ".onnx"),
            ("openvino",),
            ("openvino",),
            "pip install 'pocketlens[openvino]'",
            accelerators=("cpu", "gpu", "npu", "auto"),
            compute_precisions=("fp32", "fp16", "bf16", "auto"),
        ),
        Runtime(
            "mil",
            f"{_HERE}.mil",
            (".mlpackage",),
            ("coremltools",),
            ("coremltools",),
            "pip install 'pocketlens[build]'",
            interpreted=True,
            caveat="`mil` computes Core ML files off a Mac; these files have not been run on an Apple device.",
        ),
        Runtime(
            "qnn",
            f"{_HERE}.qnn",
            (".onnx",),
            ("onnxruntime_qnn",),
            ("onnxruntime-qnn",),
            "pip install 'pocketlens[qnn]'",
            "linux",
            machine="x86_64",
            glibc=(2, 35),
            accelerators=("npu",),
            interpreted=True,
            plays_once=True,
            compiled=True,
            caveat="`qnn` is Qualcomm's emulator of the Snapdragon NPU; these files have not been run on a phone.",
        ),
        Runtime(
            "coreai",
            f"{_HERE}.coreai",
            (".aimodel",),
            ("coreai",),
            ("coreai-core",),
            "pip install 'pocketlens[coreai]'",
            machine="x86_64",
            glibc=(2, 34),
            interpreted=True,
            caveat="`coreai` plays Core AI files on the generic CPU machine of Apple's runtime; these files have not"
            " been run on an Apple device.",
        ),
    )
}
"""Every runtime, in order of preference: where the user does not say, the first that plays an artifact here plays
it.
"""


def runtime_for(path: Path, name: str | None = None) -> Runtime:
    """The runtime that plays an artifact on this machine.

    Args:
        path: The artifact; its suffix decides.
        name: A key of :data:`RUNTIMES`, or None for the first that is usable.

    Raises:
        InputError: There is no such runtime, or none plays this kind of file.
        MissingError: None that plays it can be used here.
    """
    if name is not None:
        if name not in RUNTIMES:
            raise InputError(f"there is no runtime {name!r}", do=f"choose one of {', '.join(RUNTIMES)}")
        return RUNTIMES[name]
    players = [runtime for runtime in RUNTIMES.values() if runtime.plays(path)]
    if not players:
        kinds = sorted({s for r in RUNTIMES.values() for s in r.suffixes})
        raise InputError(f"no runtime plays {path.name}", do=f"give one of {', '.join(kinds)}")
    usable = [runtime for runtime in players if not runtime.missing()]
    if not usable:
        reasons = "; ".join(f"{r.name}: {r.missing()}" for r in players)
        raise MissingError(f"{path.name} cannot be played here ({reasons})", do=players[-1].install)
    return usable[0]


@contextlib.contextmanager
def user_errors(
    runtime: str, path: Path, kinds: type[Exception] | tuple[type[Exception], ...], do: str, *, last: bool = False
) -> Iterator[None]:
    """Turn exceptions of a runtime into an :class:`InputError`, which says so if the file is newer than the runtime.

    Args:
        runtime: The library, as the message names it.
        path: The artifact.
        kinds: The exceptions that the runtime raises.
        do: The next step, unless the file is too new.
        last: Whether the last line of the runtime's message is the one to show, and not the first.

    Raises:
        InputError: In place of one of ``kinds``.
    """
    try:
        yield
    except PocketlensError:
        raise
    except kinds as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        if _NEWER.search(str(error)):
            do = f"it may be newer than this {runtime}: update it (pip install --upgrade), or choose another artifact"
        raise InputError(f"{runtime} cannot play {path}: {lines[-1 if last else 0]}", do=do) from error
