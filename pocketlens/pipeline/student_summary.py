"""The costs of a student and of its teacher, for the bundle's report: multiply-adds, parameters and measured time."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens.errors import InputError
from pocketlens.files import cached, regular
from pocketlens.models.source import Source
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.stage_key import machine, stage_key
from pocketlens.progress import Progress

if TYPE_CHECKING:
    from pocketlens.bench.report import Section


@dataclass(frozen=True)
class StudentSummary:
    """A student compared with its teacher.

    Attributes:
        macs: Multiply-adds of one picture, teacher and student; the teacher's is None where it is an ONNX file.
        parameters: Trained weights, likewise.
        layers: What pruning took from each layer, in words; empty for a student that is no pruned copy.
        ms: Median time of one picture in onnxruntime, both graphs run in turns; None where it was not measured.
        threads: The threads of that measurement.
        scores: SSIM and PSNR in dB of the student against its teacher, when it was trained; None where that is not
            known.
    """

    macs: tuple[int | None, int]
    parameters: tuple[int | None, int]
    layers: tuple[str, ...] = ()
    ms: tuple[float, float] | None = None
    threads: int = 0
    scores: tuple[float, float] | None = None

    @property
    def scores_text(self) -> str:
        """The scores in words; empty where they are not known."""
        return f"SSIM {self.scores[0]:.3f}, PSNR {self.scores[1]:.1f}" if self.scores else ""

    def to_json(self) -> str:
        """As the bundle keeps it under ``measurements/``."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_summary(source: Source) -> StudentSummary | None:
    """What the distillation that made a source wrote beside its checkpoint; None where there is nothing of the kind."""
    if source.kind != "checkpoint" or source.path is None:
        return None
    try:
        document: dict[str, Any] = json.loads(regular(source.path.with_suffix(".json")).read_text("utf-8"))
        before, after = document["before"], document["after"]
        return StudentSummary(
            macs=(_count(before["macs"]) if before else None, _count(after["macs"])),
            parameters=(_count(before["parameters"]) if before else None, _count(after["parameters"])),
            layers=tuple(str(line) for line in document["layers"]),
            scores=(float(document["history"][-1]["ssim"]), float(document["history"][-1]["psnr"])),
        )
    except (InputError, OSError, ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None  # people may edit this file, or leave it behind


def _count(value: Any) -> int:
    if type(value) is not int or not 0 < value < 2**53:
        raise ValueError(f"{value!r} is no count")
    return value


def with_times(
    summary: StudentSummary, teacher: Source, student: Source, size: tuple[int, int], threads: int, notify: Progress
) -> StudentSummary:
    """The summary with measured times; they are measured once for the same generators on the same machine."""

    def make(folder: Path) -> None:
        (folder / "times.json").write_text(json.dumps(measure_times(teacher, student, size, threads, notify)))

    key = stage_key(
        teacher=teacher.key, student=student.key, size=size, threads=threads, host=machine(),
    )  # fmt: skip
    first, second = json.loads((cached("measurement", key, make) / "times.json").read_text())
    return replace(summary, ms=(first, second), threads=threads)


def measure_times(
    teacher: Source, student: Source, size: tuple[int, int], threads: int, notify: Progress
) -> tuple[float, float]:  # fmt: skip
    """Median times of two generators as ONNX graphs in onnxruntime, in ms, run in turns."""
    import tempfile

    from pocketlens.converters import graph as hub
    from pocketlens.pipeline.interleave import medians

    notify("measuring teacher and student", 0, 1)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, source in (("teacher", teacher), ("student", student)):
            path = Path(folder) / f"{name}.onnx"
            hub.save(next(export_graphs(source, *size)), path)
            paths.append(path)
        first, second = medians(paths, size, threads)
    return first, second


def report_sections(summary: StudentSummary) -> "list[Section]":
    """The sections of the report that show a summary."""
    from pocketlens.bench.report import Section

    rows = [
        ("GMACs", *(f"{macs / 1e9:.3f}" if macs else "-" for macs in summary.macs), _ratio(*summary.macs)),
        ("parameters", *(f"{n:,}" if n else "-" for n in summary.parameters), _ratio(*summary.parameters)),
    ]
    text = "The artifacts are of a student that was trained to give its teacher's pictures. "
    if summary.scores:
        text += f"At the end of its training it scored {summary.scores_text} against its teacher on the "
        text += "evaluation pictures. "
    text += "Measured time decides, not GMACs"
    if summary.ms:
        rows.append(("onnxruntime, ms", *(f"{ms:.1f}" for ms in summary.ms), _ratio(*summary.ms)))
        text += f": both graphs, without rewrites, ran in turns with {summary.threads} threads on this machine."
    else:
        text += "; it was not measured here."
    sections = [Section("Teacher and student", text, ("", "teacher", "student", "teacher / student"), tuple(rows))]
    if summary.layers:
        lines = [line.partition(": ") for line in summary.layers]
        layers = tuple((name, change) for name, _, change in lines)
        explanation = (
            "Channels that are added, joined or shuffled together were pruned together. Of three numbers, the middle "
            "one is the rank: the layer became a low-rank pair of convolutions with so many channels between them."
        )
        columns = ("layer", "channels in -> out, or in -> rank -> out")
        sections.append(Section("What pruning took", explanation, columns, layers))
    return sections


def _ratio(teacher: float | None, student: float) -> str:
    return f"{teacher / student:.1f}" if teacher else "-"
