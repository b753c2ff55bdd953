"""Placements: whether an accelerator computes an artifact, wholly or in part, and how that is known.

A new accelerator is one entry of :data:`ACCELERATORS` and one module that it names
(:class:`pocketlens.accelerators.Engine`). No other module asks for an accelerator by name.
"""

from dataclasses import dataclass
from typing import Literal

from pocketlens.errors import InputError

Status = Literal["whole", "partly", "refused", "by-rule", "unchecked"]


@dataclass(frozen=True)
class Placement:
    """How an accelerator computes an artifact.

    Attributes:
        accelerator: A name of the table of accelerators.
        status: whole: executed, every operator on it; partly: executed, some operators elsewhere; refused: its engine
            does not play the file, or plays another picture; by-rule: nothing was executed, a published rule was
            read; unchecked: nothing is known here.
        operators: The operators that it does not compute, each once.
        reason: Why, in one line; for unchecked what to install.
        psnr: Of its picture against the teacher's, in dB, on the artifact's worst evaluation picture; null where
            nothing was executed.
        source: Where the rule is published, for by-rule.
        engine: What played or judged it, with versions.
    """

    accelerator: str
    status: Status
    operators: tuple[str, ...] = ()
    reason: str = ""
    psnr: float | None = None
    source: str = ""
    engine: str = ""

    @property
    def text(self) -> str:
        """One cell of a table.

        Example:
            >>> Placement("litert-gpu", "whole", psnr=61.24).text
            'whole, 61.2 dB'
            >>> Placement("litert-gpu", "partly", ("CAST",), psnr=61.24).text
            'partly: not CAST, 61.2 dB'
            >>> Placement("neural-engine", "by-rule").text
            'by rule: whole'
        """
        words = {"by-rule": "by rule: " + ("partly" if self.operators else "whole"), "unchecked": "not checked"}
        word = words.get(self.status, self.status)
        missing = f"not {', '.join(self.operators)}" if self.operators else ""
        details = "; ".join(part for part in (missing, self.reason) if part)
        psnr = f", {self.psnr:.1f} dB" if self.psnr is not None else ""
        return f"{word}: {details}{psnr}" if details else word + psnr


@dataclass(frozen=True)
class Accelerator:
    """An accelerator that artifacts are checked for.

    Attributes:
        name: As tables and documents have it.
        title: As people write it.
        targets: Whose artifacts it is asked about.
        module: Answers: a module with the functions of :class:`pocketlens.accelerators.Engine`.
        executes: Whether its engine runs here; else a published rule is read.
        runtime: The runtime that verifies those targets' artifacts, where that is this accelerator itself; then
            nothing is played a second time.
    """

    name: str
    title: str
    targets: tuple[str, ...]
    module: str
    executes: bool = True
    runtime: str = ""

    @property
    def key(self) -> str:
        """Its key in a recipe's ``[accelerators]``.

        Example:
            >>> ACCELERATORS["litert-gpu"].key
            'litert_gpu'
        """
        return self.name.replace("-", "_")


_HERE = "pocketlens.accelerators"
ACCELERATORS: dict[str, Accelerator] = {
    accelerator.name: accelerator
    for accelerator in (Accelerator("litert-gpu", "LiteRT GPU", ("tflite",), f"{_HERE}.litert_gpu"),)
}
"""Every accelerator by its name, in the order in which tables show them."""


def accelerator_named(name: str) -> Accelerator:
    """An accelerator.

    Raises:
        InputError: There is no such accelerator; the message lists what there is.
    """
    if name not in ACCELERATORS:
        raise InputError(f"there is no accelerator {name!r}", do=f"choose from {', '.join(ACCELERATORS)}")
    return ACCELERATORS[name]
