"""``optimize``: which rewrites are faster for a model on a device, measured; and the artifacts with them, if wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.devices.device import Device
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, refuse
from pocketlens.models.source import Overruled, resolve
from pocketlens.pipeline import stages
from pocketlens.pipeline.choosing import Candidates, Timing, choose
from pocketlens.pipeline.convert import copied
from pocketlens.pipeline.halves import halved
from pocketlens.pipeline.pictures import judges
from pocketlens.pipeline.produce import Notify, check_pack, check_targets
from pocketlens.pipeline.stages import Emitted
from pocketlens.pipeline.trials import Chosen
from pocketlens.targets import TARGETS


@dataclass(frozen=True)
class Optimized:
    """What was found.

    Attributes:
        choices: Of each target.
        artifacts: With the rewrites that were kept; only where an output folder was given.
    """

    choices: tuple[Chosen, ...]
    artifacts: tuple[Emitted, ...] = ()


def optimize(
    model: str,
    targets: Sequence[str] = (),
    output: Path | None = None,
    *,
    precision: str = "fp32",
    architecture: str = "",
    size: tuple[int, int] = (256, 256),
    ranges: Overruled = (None, None),
    device: Device | None = None,
    threads: int = 2,
    notify: Notify = lambda what, done, total: None,
) -> Optimized:
    """Measure which rewrites are faster, target by target, and keep those.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "onnx"]``; empty means every target.
        output: Where to write the verified artifacts with what was kept, if anywhere.
        precision: That is timed and written.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        device: Where to measure; None for this machine.
        threads: To measure with.
        notify: Told about progress.

    Raises:
        InputError: The model, a target or the size is wrong.
        UnsupportedError: A target cannot express an operator.
        VerificationError: A file does not compute what the model computes.
    """
    wanted = dict.fromkeys(targets or TARGETS, (precision,))
    check_targets(wanted)
    source = resolve(model, base=Path.cwd(), architecture=architecture, ranges=ranges, size=size)
    judged = judges(None, *size)
    if source.styles:
        check_pack(source, wanted)
        judged = judged.styled(source.styles)
    notify(f"graph {size[0]}x{size[1]}", 0, 1)
    teachers = stages.references(source, judged)
    graph = stages.graph_of(source, *size, judged, teachers)
    if precision != "fp32":
        graph = halved(graph, judged.calibrating(), judged, teachers).path
    refuse(hub.load(graph), list(wanted))
    labels = Labels(stages.safe_name(source.name))
    candidates = Candidates(source, graph, labels, judged, teachers)
    choices = choose(candidates, wanted, Timing(device, threads), notify)
    notify("measured", 1, 1)
    if output is None:
        return Optimized(tuple(choices.values()))
    made = [candidates.emitted(target, precision, chosen.names) for target, chosen in choices.items()]
    return Optimized(tuple(choices.values()), tuple(copied(emitted, output) for emitted in made))
