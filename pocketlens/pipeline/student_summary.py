"""What a student costs beside its teacher, for the bundle's report: multiply-adds, parameters and measured time."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens.files import cached
from pocketlens.models.source import Source
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.stage_key import machine, stage_key
from pocketlens.progress import Progress

if TYPE_CHECKING:
    from pocketlens.bench.report import Section


@dataclass(frozen=True)
class StudentSummary:
    """A student beside its teacher.

    Attributes:
        macs: Multiply-adds of one picture, teacher and student; the teacher's is None where it is an ONNX file.
        parameters: Trained weights, likewise.
        layers: What pruning took from each layer, in words; empty for a student that is no pruned copy.
        ms: Median time of one picture in onnxruntime, both graphs played in turns; None where it was not measured.
        threads: That they were measured with.
        scores: SSIM and PSNR in dB of the student against its teacher, when it was trained; None where that is not known.
    """

    macs: tuple[int | None, int]
    parameters: tuple[int | None, int]
    layers: tuple[str, ...] = ()
    ms: tuple[float, float] | None = None
    threads: int = 0
    scores: tuple[float, float] | None = None

    @property
    def told(self) -> str:
        """How close the student came to its teacher, in words; empty where that is not known."""
        return f"SSIM {self.scores[0]:.3f}, PSNR {self.scores[1]:.1f}" if self.scores else ""

    def to_json(self) -> str:
        """As the bundle keeps it under ``measurements/``."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_summary(source: Source) -> StudentSummary | None:
    """What the distillation that made a source wrote beside its checkpoint; None where there is nothing of the kind."""
    if source.kind != "checkpoint" or source.path is None:
        return None
    try:
        told: dict[str, Any] = json.loads(source.path.with_suffix(".json").read_text("utf-8"))
        before, after = told["before"], told["after"]
        return StudentSummary(
            macs=(_count(before["macs"]) if before else None, _count(after["macs"])),
            parameters=(_count(before["parameters"]) if before else None, _count(after["parameters"])),
            layers=tuple(str(line) for line in told["layers"]),
            scores=(float(told["history"][-1]["ssim"]), float(told["history"][-1]["psnr"])),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None  # it is for people to read, and may have stayed behind


def _count(told: Any) -> int:
    if type(told) is not int or not 0 < told < 2**53:
        raise ValueError(f"{told!r} counts nothing")
    return told


def with_times(
    found: StudentSummary, teacher: Source, student: Source, size: tuple[int, int], threads: int, notify: Progress
) -> StudentSummary:
    """The same with measured times; measured once for the same generators on the same machine."""

    def make(folder: Path) -> None:
        (folder / "times.json").write_text(json.dumps(measure_times(teacher, student, size, threads, notify)))

    key = stage_key(
        teacher=teacher.key, student=student.key, size=size, threads=threads, host=machine(),
    )  # fmt: skip
    first, second = json.loads((cached("measurement", key, make) / "times.json").read_text())
    return replace(found, ms=(first, second), threads=threads)


def measure_times(
    teacher: Source, student: Source, size: tuple[int, int], threads: int, notify: Progress
) -> tuple[float, float]:  # fmt: skip
    """Median times of two generators as ONNX graphs in onnxruntime, in ms, played in turns."""
    import tempfile

    from pocketlens.converters import graph as hub
    from pocketlens.pipeline.interleave import medians

    notify("measuring teacher and student", 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, one in (("teacher", teacher), ("student", student)):
            path = Path(folder) / f"{name}.onnx"
            hub.save(next(export_graphs(one, *size)), path)
            paths.append(path)
        first, second = medians(paths, size, threads)
    return first, second


def report_sections(found: StudentSummary) -> "list[Section]":
    """The parts of the report that show it."""
    from pocketlens.bench.report import Section

    rows = [
        ("GMACs", *(f"{macs / 1e9:.3f}" if macs else "-" for macs in found.macs), _times_less(*found.macs)),
        ("parameters", *(f"{n:,}" if n else "-" for n in found.parameters), _times_less(*found.parameters)),
    ]
    text = "The artifacts are of a student that was trained to give its teacher's pictures. "
    if found.scores:
        text += f"When it was trained, it scored {found.told} against its teacher on the judge pictures of then. "
    text += "Measured time decides, not GMACs"
    if found.ms:
        rows.append(("onnxruntime, ms", *(f"{ms:.1f}" for ms in found.ms), _times_less(*found.ms)))
        text += f": both graphs, without rewrites, were played in turns with {found.threads} threads on this machine."
    else:
        text += "; it was not measured here."
    made = [Section("Teacher and student", text, ("", "teacher", "student", "teacher / student"), tuple(rows))]
    if found.layers:
        lines = [line.partition(": ") for line in found.layers]
        told = tuple((name, what) for name, _, what in lines)
        how = (
            "Channels that are added, joined or shuffled together went together. Of three numbers the middle one is the rank: "
            "the layer became two thin ones with so many channels between them."
        )
        made.append(Section("What pruning took", how, ("layer", "channels in -> out, or in -> rank -> out"), told))
    return made


def _times_less(teacher: float | None, student: float) -> str:
    return f"{teacher / student:.1f}" if teacher else "-"
