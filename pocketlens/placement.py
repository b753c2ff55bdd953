"""Placements: whether an accelerator computes an artifact, wholly or in part, and how that is known.

A new accelerator is one entry of :data:`ACCELERATORS` and one module that it names
(:class:`pocketlens.accelerators.Engine`). No other module asks for an accelerator by name.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pocketlens.errors import InputError
from pocketlens.quick_dataclass import dataclass

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
        """One cell of a table; the reason is in :func:`notes`.

        Example:
            >>> Placement("litert-gpu", "partly", ("CAST",), psnr=61.24).text
            'partly: not CAST, 61.2 dB'
            >>> Placement("neural-engine", "by-rule").text
            'by rule: nothing excluded'
        """
        if self.status == "unchecked":
            return "not checked"
        missing = f"not {', '.join(self.operators)}" if self.operators else ""
        if self.status == "by-rule":
            return f"by rule: {missing or 'nothing excluded'}"
        return (
            self.status
            + (f": {missing}" if missing else "")
            + (f", {self.psnr:.1f} dB" if self.psnr is not None else "")
        )


@dataclass(frozen=True)
class Accelerator:
    """An accelerator that artifacts are checked for.

    Attributes:
        name: As tables and documents have it.
        title: As people write it.
        targets: Whose artifacts it is asked about.
        module: Answers: a module with the functions of :class:`pocketlens.accelerators.Engine`.
        executes: Whether its engine runs here; else a published rule is read.
        mode: What a recipe asks of it that does not say: report or off.
        runtime: The runtime that verifies those targets' artifacts, where that is this accelerator itself; then
            nothing is played a second time.
    """

    name: str
    title: str
    targets: tuple[str, ...]
    module: str
    executes: bool = True
    mode: str = "report"
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
    for accelerator in (
        Accelerator("litert-gpu", "LiteRT GPU", ("tflite",), f"{_HERE}.litert_gpu"),
        Accelerator("snapdragon-npu", "Snapdragon NPU", ("qnn",), f"{_HERE}.snapdragon_npu", runtime="qnn"),
        Accelerator("coreai-cpu", "Core AI, generic CPU", ("coreai",), f"{_HERE}.coreai", runtime="coreai"),
        Accelerator("web-wasm", "Browser, WebAssembly", ("tflite",), f"{_HERE}.web_wasm", mode="off"),
        Accelerator("web-webgpu", "Browser, WebGPU", ("tflite",), f"{_HERE}.web_webgpu", mode="off"),
        Accelerator("neural-engine", "Neural Engine", ("coreml", "coreai"), f"{_HERE}.neural_engine", executes=False),
        Accelerator("snapml", "SnapML", ("onnx",), f"{_HERE}.snapml", executes=False),
    )
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


def table(placements: Mapping[str, Sequence[Placement]]) -> tuple[list[str], list[list[str]]]:
    """The table of artifact by accelerator: its columns, and a row for each artifact.

    Args:
        placements: Artifact → its placements. Accelerators that no artifact was asked about get no column.

    Example:
        >>> table({"tflite-fp16-64x64": [Placement("litert-gpu", "whole")], "onnx-fp16-64x64": []})
        (['artifact', 'LiteRT GPU'], [['tflite-fp16-64x64', 'whole'], ['onnx-fp16-64x64', '-']])
    """
    asked = {placement.accelerator for row in placements.values() for placement in row}
    known = [name for name in ACCELERATORS if name in asked]
    columns = [*known, *sorted(asked - set(known))]
    rows = []
    for artifact, row in placements.items():
        cells = {placement.accelerator: placement.text for placement in row}
        rows.append([artifact, *(cells.get(name, "-") for name in columns)])
    return ["artifact", *map(_title, columns)], rows


def notes(placements: Mapping[str, Sequence[Placement]]) -> list[str]:
    """What the table leaves out: reasons, what to install, and where rules are published; each once."""
    lines = []
    for artifact, row in placements.items():
        for placement in row:
            title = _title(placement.accelerator)
            if placement.status == "unchecked":
                lines.append(f"{title}: not checked: {placement.reason}")
            elif placement.reason:
                lines.append(f"{artifact} on {title}: {placement.reason}")
            if placement.source:
                lines.append(f"{title}: by rule, nothing was executed: {placement.source}")
    return list(dict.fromkeys(lines))


def _title(accelerator: str) -> str:
    return ACCELERATORS[accelerator].title if accelerator in ACCELERATORS else accelerator
