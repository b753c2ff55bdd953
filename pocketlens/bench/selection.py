"""What of a bundle is measured, and how: every artifact in its runtimes, with every setting that was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product

from pocketlens import images
from pocketlens.bench.case import INTERPRETED, BenchmarkCase
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.devices.tool import DELEGATES
from pocketlens.bundle.manifest import Artifact, Golden
from pocketlens.bundle.read import Bundle
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes.adapter import RUNTIMES, Options


@dataclass(frozen=True)
class Selection:
    """Which subjects to make of a bundle. What is empty, or None, is left to the bundle and to the runtimes.

    Attributes:
        artifacts: Only these, by their ids.
        runtimes: Every one of these that plays an artifact; None for the first that is usable on the device.
        threads: A subject for each of these numbers of threads.
        delegates: A subject for each of these that a runtime has; a runtime that has none of them plays as it is.
        precisions: The same for what to compute in.
    """

    artifacts: Sequence[str] | None = None
    runtimes: Sequence[str] | None = None
    threads: Sequence[int] = ()
    delegates: Sequence[str] = ()
    precisions: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.runtimes or ():
            if name not in RUNTIMES:
                raise InputError(f"there is no runtime {name!r}", do=f"choose one of {', '.join(RUNTIMES)}")
        for kind, asked, known in (
            ("delegate", self.delegates, {*DELEGATES, *(name for one in RUNTIMES.values() for name in one.delegates)}),
            ("precision", self.precisions, {name for one in RUNTIMES.values() for name in one.precisions}),
        ):
            for name in asked:
                if not has(known, name):
                    raise InputError(
                        f"no runtime has the {kind} {name!r}", do=f"choose from {', '.join(sorted(known - {'*'}))}"
                    )

    def options(self, runtime: str, device: Device) -> list[Options]:
        """How a runtime is to play on a device, one entry a subject.

        Raises:
            MissingError: The device cannot be reached.
        """
        if runtime in INTERPRETED:
            return [Options()]
        delegates = [one for one in self.delegates if has(device.delegates(runtime), one)]
        precisions = [one for one in self.precisions if one in RUNTIMES[runtime].precisions]
        ways = product(self.threads or (None,), delegates or (None,), precisions or (None,))
        return [Options(threads, delegate, precision) for threads, delegate, precision in ways]


def has(known: Sequence[str] | set[str], name: str) -> bool:
    """Whether a name is among those known, of which ``"*"`` stands for the path of any library.

    Example:
        >>> has(("xnnpack", "*"), "/opt/libdelegate.so"), has(("xnnpack", "*"), "gpu")
        (True, False)
    """
    return name in known or ("*" in known and "/" in name)


def select_cases(bundle: Bundle, choice: Selection | None = None, device: Device | None = None) -> list[BenchmarkCase]:
    """The subjects in a bundle, for one device.

    Raises:
        InputError: An id is unknown, or nothing fits what was asked for.
        MissingError: The device cannot be reached, or has none of the delegates or precisions that were asked for.
    """
    choice, device = choice or Selection(), device or Local()
    artifacts = bundle.manifest.artifacts
    if choice.artifacts is not None:
        artifacts = tuple(bundle.artifact(one) for one in choice.artifacts)
    found = [
        _subject(bundle, artifact, name, options)
        for artifact in artifacts
        for name in _runtimes_for(artifact, choice.runtimes, device)
        for options in choice.options(name, device)
    ]
    if not found:
        plays = ", ".join(sorted({name for artifact in artifacts for name in artifact.runtimes}))
        raise InputError(f"{', '.join(choice.runtimes or ())} plays none of the artifacts", do=f"choose from {plays}")
    for kind, asked in (("delegate", choice.delegates), ("compute", choice.precisions)):
        unused = [name for name in asked if all(getattr(one, kind) != name for one in found)]
        if unused:
            word = "delegate" if kind == "delegate" else "precision"
            raise MissingError(
                f"nothing that {device.name} plays of this has the {word} {', '.join(unused)}", do="leave it out"
            )
    return found


def _runtimes_for(artifact: Artifact, runtimes: Sequence[str] | None, device: Device) -> list[str]:
    if runtimes is not None:
        return [name for name in artifact.runtimes if name in runtimes]
    known = [name for name in artifact.runtimes if name in RUNTIMES]
    usable = [name for name in known if not device.missing(name)]
    return (usable or known)[:1]


def _subject(bundle: Bundle, artifact: Artifact, runtime: str, options: Options) -> BenchmarkCase:
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
        threads=options.threads,
        macs=_macs(bundle, artifact),
        delegate=options.delegate,
        compute=options.precision,
    )


def _macs(bundle: Bundle, artifact: Artifact) -> int | None:
    """Multiply-adds of one picture, from the bundle's ONNX file of the same size, where there is one and onnx to read it."""
    alike = (one for one in bundle.manifest.artifacts if one.path.endswith(".onnx") and one.precision == "fp32")
    found = next((one for one in alike if (one.height, one.width) == (artifact.height, artifact.width)), None)
    if found is None or find_spec("onnx_ir") is None:
        return None
    from pocketlens.converters import graph as hub

    try:
        return hub.macs(hub.load(bundle.path_of(found)))
    except InputError:  # a shape in it is not fixed: nothing can be counted
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
