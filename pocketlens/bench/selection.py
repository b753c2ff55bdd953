"""Which benchmark cases are made of a bundle: every artifact in its runtimes, with every setting that was requested."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import PurePosixPath

from pocketlens import images
from pocketlens.bench.case import BenchmarkCase, is_interpreted
from pocketlens.bench.devices import benchmark_model
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bundle.manifest import Artifact, Golden
from pocketlens.bundle.read import Bundle
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes.adapter import RUNTIMES, Options, has

_GRAPH_SUFFIX = ".onnx"
"""Of the artifacts that :mod:`pocketlens.converters.graph` reads."""


@dataclass(frozen=True)
class Selection:
    """Which cases to make of a bundle. What is empty, or None, is left to the bundle and to the runtimes.

    Attributes:
        artifacts: Only these, by their ids.
        runtimes: Every one of these that plays an artifact; None for the first that is usable on the device.
        threads: A case for each of these numbers of threads.
        accelerators: A case for each of these that a runtime has: ``cpu``, ``gpu``, ``npu``, ``auto``, or the runtime's
            own name for what computes, such as ``xnnpack``. A runtime that has none of them makes its own choice.
        compute_precisions: The same for the precision of the arithmetic.

    Raises:
        InputError: There is no such runtime, or no runtime has such an accelerator or precision.
    """

    artifacts: Sequence[str] | None = None
    runtimes: Sequence[str] | None = None
    threads: Sequence[int] = ()
    accelerators: Sequence[str] = ()
    compute_precisions: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.runtimes or ():
            if name not in RUNTIMES:
                raise InputError(f"there is no runtime {name!r}", do=f"choose one of {', '.join(RUNTIMES)}")
        accelerators = {*benchmark_model.PROCESSORS, *benchmark_model.DELEGATES}
        for runtime in RUNTIMES.values():
            accelerators |= {*runtime.accelerators}
        precisions = {name for runtime in RUNTIMES.values() for name in runtime.compute_precisions}
        for kind, requested, known in (
            ("accelerator", self.accelerators, accelerators),
            ("compute precision", self.compute_precisions, precisions),
        ):
            for name in requested:
                if not has(known, name):
                    raise InputError(
                        f"no runtime has the {kind} {name!r}", do=f"choose from {', '.join(sorted(known - {'*'}))}"
                    )

    def options(self, runtime: str, device: Device) -> list[Options]:
        """How a runtime is to play on a device, one entry for each case.

        Raises:
            MissingError: The device cannot be reached.
        """
        if is_interpreted(runtime):
            return [Options()]
        accelerators = [name for name in self.accelerators if has(device.accelerators(runtime), name)]
        precisions = [name for name in self.compute_precisions if name in RUNTIMES[runtime].compute_precisions]
        combinations = product(self.threads or (None,), accelerators or (None,), precisions or (None,))
        return [Options(threads, accelerator, precision) for threads, accelerator, precision in combinations]


def select_cases(
    bundle: Bundle, selection: Selection | None = None, device: Device | None = None
) -> list[BenchmarkCase]:
    """The benchmark cases of a bundle, for one device.

    Raises:
        InputError: An id is unknown, or nothing fits the selection.
        MissingError: The device cannot be reached, or has none of the accelerators or precisions that were requested.
    """
    selection, device = selection or Selection(), device or Local()
    artifacts = bundle.manifest.artifacts
    if selection.artifacts is not None:
        artifacts = tuple(bundle.artifact(name) for name in selection.artifacts)
    cases = [
        _case(bundle, artifact, runtime, options)
        for artifact in artifacts
        for runtime in _runtimes_for(artifact, selection.runtimes, device)
        for options in selection.options(runtime, device)
    ]
    if not cases:
        players = ", ".join(sorted({name for artifact in artifacts for name in artifact.runtimes}))
        raise InputError(
            f"{', '.join(selection.runtimes or ())} plays none of the artifacts", do=f"choose from {players}"
        )
    accelerators = {case.accelerator for case in cases}
    precisions = {case.compute_precision for case in cases}
    for kind, requested, used in (
        ("accelerator", selection.accelerators, accelerators),
        ("compute precision", selection.compute_precisions, precisions),
    ):
        unused = [name for name in requested if name not in used]
        if unused:
            raise MissingError(
                f"on {device.name}, no runtime that plays these artifacts has the {kind} {', '.join(unused)}",
                do="leave it out",
            )
    return cases


def _runtimes_for(artifact: Artifact, runtimes: Sequence[str] | None, device: Device) -> list[str]:
    if runtimes is not None:
        return [name for name in artifact.runtimes if name in runtimes]
    known = [name for name in artifact.runtimes if name in RUNTIMES]
    usable = [name for name in known if not device.missing(name)]
    return (usable or known)[:1]


def _case(bundle: Bundle, artifact: Artifact, runtime: str, options: Options) -> BenchmarkCase:
    golden = golden_of(bundle, artifact.height, artifact.width)
    return BenchmarkCase(
        artifact=artifact.id,
        path=bundle.path_of(artifact),
        target=artifact.target,
        precision=artifact.precision,
        runtime=runtime,
        picture=images.read(bundle.file(golden.picture)),
        expected=images.read(bundle.file(golden.expected)),
        min_psnr=artifact.golden_psnr,
        macs=_macs(bundle, artifact),
        threads=options.threads,
        accelerator=options.accelerator,
        compute_precision=options.compute_precision,
    )


def _macs(bundle: Bundle, artifact: Artifact) -> int | None:
    """Multiply-adds of one picture, counted in the bundle's float graph of that size; None if that is not possible."""
    size = (artifact.height, artifact.width)
    graph = next(
        (
            other
            for other in bundle.manifest.artifacts
            if PurePosixPath(other.path).suffix == _GRAPH_SUFFIX
            and other.precision == "fp32"
            and (other.height, other.width) == size
        ),
        None,
    )
    if graph is None or find_spec("onnx_ir") is None:
        return None
    from pocketlens.converters import graph as hub
    from pocketlens.converters.onnx_file import read_onnx

    try:
        return hub.macs(read_onnx(bundle.path_of(graph)))
    # A shape in it is not fixed, or it is damaged, or a node lacks an input: nothing can be counted.
    except (InputError, AssertionError, LookupError, TypeError, ValueError):
        return None


def golden_of(bundle: Bundle, height: int, width: int) -> Golden:
    """The golden picture that artifacts of a size are measured with: the first one of that size.

    Raises:
        InputError: There is none.
    """
    for golden in bundle.manifest.golden:
        if (golden.height, golden.width) == (height, width):
            return golden
    raise InputError(f"the bundle has no golden picture of {height} x {width}", do="build the bundle again")
