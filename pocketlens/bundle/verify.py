"""``verify``: whether a bundle is unaltered, and whether its artifacts give the teacher's pictures on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pocketlens import files, images, quality
from pocketlens.bundle.choose import playable
from pocketlens.bundle.load import open_in
from pocketlens.bundle.manifest import Artifact, Golden, Verdict
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes.adapter import RUNTIMES, Options, has
from pocketlens.runtimes.session import Session

State = Literal["ok", "fail", "skipped"]


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: ``manifest``, ``files``, or ``<artifact> in <runtime>``.
        state: ``skipped`` where this machine cannot make the check.
        details: The result or the reason, for people.
        psnr: In dB, of the worst golden picture; None where none was played.
    """

    name: str
    state: State
    details: str
    psnr: float | None = None


@dataclass(frozen=True)
class Report:
    """The results of :func:`verify`.

    Attributes:
        checks: In the order in which they were made.
        gates: The verdict of the bundle's own gates; None where the manifest could not be read.
    """

    checks: tuple[Check, ...]
    gates: Verdict | None

    @property
    def played(self) -> int:
        """How many pairs of artifact and runtime were played and reached their tolerance."""
        return sum(check.state == "ok" and check.psnr is not None for check in self.checks)

    @property
    def verdict(self) -> Verdict:
        """``pass`` if nothing failed and a picture was played: right hashes do not show that an artifact plays."""
        failed = any(check.state == "fail" for check in self.checks)
        return "pass" if self.played and not failed else "fail"


def verify(
    path: Path | str,
    runtimes: Sequence[str] | None = None,
    progress: Callable[[Check], None] | None = None,
    *,
    accelerator: str | None = None,
) -> Report:
    """Check a bundle: its manifest, every file's hash, and the golden pictures in every runtime that is here.

    Args:
        path: The bundle, folder or zip.
        runtimes: Only these; None takes all.
        progress: Called with each check as it is made.
        accelerator: Only runtimes that have it, and on it; None for each runtime's own choice.

    Raises:
        InputError: There is nothing at ``path``, or no such runtime or accelerator. Faults of the bundle are in the
            report.
        MissingError: The accelerator cannot be used here.
    """
    for name in runtimes or ():
        if name not in RUNTIMES:
            raise InputError(f"there is no runtime {name!r}", do=f"choose from {', '.join(RUNTIMES)}")
    if accelerator is not None:
        with_it = [name for name in runtimes or RUNTIMES if has(RUNTIMES[name].accelerators, accelerator)]
        runtimes = [name for name in with_it if not RUNTIMES[name].missing()]
        if not with_it:
            known = {name for runtime in RUNTIMES.values() for name in runtime.accelerators} - {"*"}
            raise InputError(
                f"no runtime has the accelerator {accelerator!r}", do=f"choose from {', '.join(sorted(known))}"
            )
    if not Path(path).is_dir():
        files.regular(Path(path))
    checks: list[Check] = []

    def note(check: Check) -> None:
        checks.append(check)
        if progress:
            progress(check)

    try:
        bundle = open_bundle(path)
    except InputError as error:
        note(Check("manifest", "fail", error.what))
        return Report(tuple(checks), None)
    with bundle:
        version = bundle.manifest.schema
        note(Check("manifest", "ok", f"schema {version}, {len(bundle.manifest.artifacts)} artifacts"))
        for check in _files(bundle):
            note(check)
        for artifact in bundle.manifest.artifacts:
            for runtime in playable(artifact) or [""]:
                if runtimes is None or runtime in runtimes:
                    note(_play(bundle, artifact, runtime, accelerator))
        unplayed = not any(check.psnr is not None or check.state == "fail" for check in checks)
        if unplayed and accelerator is not None:
            reasons = "; ".join(dict.fromkeys(check.details for check in checks if check.state == "skipped"))
            raise MissingError(
                f"no artifact of {path} could be played on {accelerator} here: {reasons or 'no runtime is installed'}",
                do="pocketlens doctor says what is missing",
            )
        if unplayed:
            note(
                Check(
                    "playing",
                    "fail",
                    "no golden picture could be played here, so nothing shows that its artifacts play: "
                    "pocketlens doctor says what to install",
                )
            )
        return Report(tuple(checks), bundle.manifest.verdict)


def _files(bundle: Bundle) -> list[Check]:
    try:
        failed = [Check(name, "fail", "it is not listed in the manifest") for name in bundle.unlisted()]
    except InputError as error:
        failed = [Check("files", "fail", error.what)]
    for name in bundle.manifest.files:
        try:
            bundle.check(name)
        except InputError as error:
            failed.append(Check(name, "fail", error.what))
    if failed:
        return failed
    listed = bundle.manifest.files
    size = sum(files.bytes_of(bundle.folder / name) for name in listed)
    return [Check("files", "ok", f"{len(listed)} files, {size / 1e6:.1f} MB, every hash as listed")]


def _play(bundle: Bundle, artifact: Artifact, runtime: str, accelerator: str | None) -> Check:
    name = f"{artifact.id} in {runtime}{f' on {accelerator}' if accelerator else ''}" if runtime else artifact.id
    fitting = [g for g in bundle.manifest.golden if (g.height, g.width) == (artifact.height, artifact.width)]
    if not runtime:
        return Check(name, "skipped", f"this pocketlens knows none of its runtimes: {', '.join(artifact.runtimes)}")
    if reason := RUNTIMES[runtime].missing():
        return Check(name, "skipped", f"{reason}: {RUNTIMES[runtime].install}")
    if not fitting:
        return Check(name, "skipped", f"there is no golden picture of {artifact.height} x {artifact.width}")
    try:
        with open_in(bundle, artifact, runtime, Options(accelerator=accelerator)) as session:
            info = session.runtime_info
            reached = min(_psnr(bundle, session, golden) for golden in fitting)
    except MissingError as error:
        return Check(name, "skipped", f"{error.what}: {error.do}")
    except InputError as error:
        return Check(name, "fail", error.what)
    shown = "identical" if reached >= quality.EQUAL_PSNR else f"{reached:.1f} dB"
    details = f"{shown} against the teacher's picture, at least {artifact.golden_psnr:.1f} dB expected"
    details += f"; {info.delegate}" if accelerator and info.delegate else ""
    details += f", without {info.elsewhere}" if info.elsewhere else ""
    return Check(name, "ok" if reached >= artifact.golden_psnr else "fail", details, reached)


def _psnr(bundle: Bundle, session: Session, golden: Golden) -> float:
    decoded = images.decode(bundle.file(golden.expected))
    picture, expected, alpha = images.read(bundle.file(golden.picture)), decoded.picture, decoded.alpha
    given = tuple(round(edge * session.factor) for edge in session.size)
    for name, image, size in ((golden.picture, picture, session.size), (golden.expected, expected, given)):
        if image.shape[:2] != size:
            raise InputError(f"{name} is {image.shape[:2]}, the artifact says {size}", do="build it again")
    try:
        stylized = session.still(picture, golden.style or None)
    # A damaged artifact can fail in ways of each runtime's own, which have no common base.
    except Exception as error:
        raise InputError(f"playing it fails: {error}", do="build the bundle again") from error
    if alpha is not None and stylized.shape[2] == 4:
        expected = np.concatenate([expected, alpha[..., None]], axis=2)
    return quality.psnr(expected, stylized[..., : expected.shape[2]])
