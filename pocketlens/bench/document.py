"""The measurement document: raw samples with their environment. Statistics are derived from it, never stored alone.

Times are wall-clock milliseconds, memory and sizes are megabytes of 10**6 bytes. The names of keys are those of version
1.0: where code calls a field otherwise, the field's metadata has its key (:func:`pocketlens.bundle.typed.key`).
"""

import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from pocketlens.bench.limits import MAX_MB, MAX_TEXT
from pocketlens.bench.result import CaseResult
from pocketlens.bundle import typed
from pocketlens.errors import InputError
from pocketlens.files import regular
from pocketlens.files import write as write_whole

HISTORY = {
    "1.0": "environment, settings, and of each subject its artifact, runtime, picture, check, timing, memory, skipped "
    "and failure",
    "1.1": "battery, throttling and snapshots taken during the measurement; sustained measurements; resumed "
    "connections; delegate; added later under the same version: macs of an artifact, simd and max_mhz of the processor",
    "1.2": "asked_delegate and asked_precision, beside what the runtime did; added later under the same version: "
    "settings.least_rounds",
    "1.3": "asked_accelerator and effective_accelerator: cpu, gpu, npu or auto, beside the runtime's own name in "
    "delegate; added later under the same version: runtime_emulated, hidden and pressure of a snapshot, camera_ms of "
    "timing",
}
"""Each version of the document and the fields that it added."""
SCHEMA = "1.3"
"""The version that is written. Another major version is refused; unknown keys of a later minor version are ignored."""

MB = 1e6
MAX_FRAMES, MAX_BLOCKS = 1_000_000, 20_000
"""Most frames and rounds of one case that are read: an hour and more of any network."""
MAX_RESULTS = 2_000
"""Most cases of one document that are read."""
_TEXT = typed.bounds(length=MAX_TEXT)
"""Texts that devices send, and lists of them; the numbers beside them have the bounds of what a machine can be."""
MAX_BUSY = 0.25
"""The share of all cores that other programs may use before a machine counts as busy."""
_NUMBERS = re.compile(r"\[\n[\s\d.,eE+-]*\]")


@dataclass(frozen=True)
class Host:
    """The machine that played the artifacts, as far as it can be read.

    Attributes:
        machine: The instruction set, for instance ``"x86_64"`` or ``"aarch64"``.
        cores: Logical cores that the process may use.
        packages: Versions of the installed libraries that take part: numpy, Pillow and the runtimes.
        simd: Those of the processor's features that decide how much it computes a cycle.
        max_mhz: The highest frequency of a core, or None if it does not say.
    """

    os: str = field(metadata=_TEXT)
    kernel: str = field(metadata=_TEXT)
    machine: str = field(metadata=_TEXT)
    cpu: str = field(metadata=_TEXT)
    cores: int = field(metadata=typed.bounds(1, 1e6))
    memory_mb: float | None = field(metadata=typed.bounds(0, MAX_MB))
    python: str = field(metadata=_TEXT)
    pocketlens: str = field(metadata=_TEXT)
    packages: dict[str, str] = field(metadata=_TEXT)
    simd: tuple[str, ...] = field(default=(), metadata=_TEXT)
    max_mhz: float | None = field(default=None, metadata=typed.bounds(1, 1e6))


@dataclass(frozen=True)
class Snapshot:
    """What of the machine changes while it works; None where it cannot be read.

    Attributes:
        load: Load average over one minute.
        busy: Share of all cores in use over 0.2 s while nothing of ours ran, 0..1.
        governor: The frequency governor of the first core.
        frequency_mhz: The highest current frequency of a core.
        temperature_c: The hottest thermal zone.
        throttled: What slows it down now: a Raspberry Pi's reasons, Android's thermal state; empty if nothing does.
        throttled_since_boot: The same, at any time since it was started. Only the difference of two tells something.
        battery_percent: 0..100.
        plugged: Whether power comes from outside.
        charging: Whether the battery takes charge, which warms the device.
        screen_on: Phones run other cores when it is off.
        hidden: Whether frames were played while nobody saw the page, up to now: browsers slow such pages down.
        pressure: What a browser says of the load on the processor: nominal, fair, serious or critical.
    """

    load: float | None = field(default=None, metadata=typed.bounds(0, 1e6))
    busy: float | None = field(default=None, metadata=typed.bounds(-1, 2))
    governor: str | None = field(default=None, metadata=_TEXT)
    frequency_mhz: float | None = field(default=None, metadata=typed.bounds(0, 1e6))
    temperature_c: float | None = field(default=None, metadata=typed.bounds(-300, 1000))
    throttled: str | None = field(default=None, metadata=_TEXT)
    throttled_since_boot: str | None = field(default=None, metadata=_TEXT)
    battery_percent: float | None = field(default=None, metadata=typed.bounds(0, 1000))
    plugged: bool | None = None
    charging: bool | None = None
    screen_on: bool | None = None
    hidden: bool | None = None
    pressure: str | None = field(default=None, metadata=_TEXT)


@dataclass(frozen=True)
class TimedSnapshot:
    """A snapshot taken during the measurement; ``at_s`` is on the clock of :class:`~pocketlens.bench.result.Block`."""

    at_s: float
    snapshot: Snapshot


@dataclass(frozen=True)
class Environment:
    """Where and when a document was measured.

    Attributes:
        device: ``"local"``, ``"ssh://pi@host"``, ``"adb:SERIAL"``.
        emulated: Whether the device is an emulator. Its figures are never compared with those of a real device.
        time: When the measurement began, UTC, ISO 8601.
        during: Snapshots taken between blocks, in a sustained measurement every few seconds.
    """

    device: str
    emulated: bool
    time: str
    host: Host
    before: Snapshot
    after: Snapshot
    during: tuple[TimedSnapshot, ...] = ()

    @property
    def throttled(self) -> str:
        """What slowed the device down while it was measured, in words; empty if nothing is known to have."""
        snapshots = [self.before, *(timed.snapshot for timed in self.during), self.after]
        reasons = {reason for snapshot in snapshots for reason in _reasons(snapshot.throttled)}
        # The bits since boot tell what happened between two snapshots, if they were clear before.
        earlier = _reasons(self.before.throttled_since_boot)
        reasons |= {reason for reason in _reasons(self.after.throttled_since_boot) if reason not in earlier}
        return ", ".join(sorted(reasons))

    @property
    def hidden(self) -> bool:
        """Whether a browser's page was hidden while it was measured."""
        return any(snapshot.hidden for snapshot in (self.after, *(timed.snapshot for timed in self.during)))

    @property
    def disturbed(self) -> str:
        """What else the machine was doing, in words, if it was doing too much; empty for a quiet machine."""
        shares = [snapshot.busy for snapshot in (self.before, self.after) if snapshot.busy is not None]
        if not shares or max(shares) <= MAX_BUSY:
            return ""
        return f"the machine was busy with something else: {max(shares):.0%} of its cores while nothing was measured"


def _reasons(throttled: str | None) -> list[str]:
    return [reason for reason in (throttled or "").split(", ") if reason]


@dataclass(frozen=True)
class BenchmarkSettings:
    """How long to measure, and when a case counts as warm.

    A case is measured until both ``seconds`` and ``count`` are reached, or until ``max_seconds`` have passed. It is
    played in blocks of at least ``block_seconds`` and ``block_count`` frames, in turns with the other cases. It is warm
    when the medians of two neighbouring blocks differ by less than ``warm_change``. After ``warm_seconds`` it is
    measured all the same, and marked as not warm.

    Attributes:
        seconds: Least time to play, in seconds.
        count: Least number of frames.
        max_seconds: Most time to play, in seconds.
        min_blocks: Least number of blocks: a program that plays outside of Python may give all frames in one.
        answer_seconds: How long a worker may stay silent beyond the time that it was told to play. After that it counts
            as hung.
        sustained: Whether cases are played one after the other, each alone and to its end, instead of in turns. The
            verdict is then on the last minute.
        cooldown_seconds: The longest pause between two cases of a sustained measurement. The pause ends earlier where
            the device reports that it is as cool as in the beginning.
        resumes: How often a lost connection is made again for one case.
    """

    seconds: float = 1.5
    count: int = 30
    max_seconds: float = field(default=60.0, metadata=typed.key("most_seconds"))
    block_seconds: float = 0.25
    block_count: int = 3
    warm_change: float = 0.05
    warm_seconds: float = 3.0
    answer_seconds: float = 120.0
    sustained: bool = False
    cooldown_seconds: float = 0.0
    resumes: int = 3
    min_blocks: int = field(default=1, metadata=typed.key("least_rounds"))

    def __post_init__(self) -> None:
        positive = ("seconds", "max_seconds", "block_seconds", "warm_change", "warm_seconds", "answer_seconds")
        keys = {setting.name: setting.metadata.get("key", setting.name) for setting in fields(self)}
        for name in positive:
            value = getattr(self, name)
            _expect(value > 0, f"settings.{keys[name]}", f"is {value}, expected more than 0")
        for name in ("count", "block_count", "min_blocks"):
            value = getattr(self, name)
            _expect(value >= 1, f"settings.{keys[name]}", f"is {value}, expected at least 1")


@dataclass(frozen=True)
class Document:
    """One measurement on one device.

    Attributes:
        environment: Where and when.
        settings: How long.
        results: What was measured of each case, in the order in which they were given.
        schema: The version of the document.
    """

    environment: Environment
    settings: BenchmarkSettings
    results: tuple[CaseResult, ...] = field(metadata=typed.key("subjects") | typed.bounds(length=MAX_RESULTS))
    schema: str = SCHEMA

    @property
    def doubt(self) -> str:
        """Why its times may not be those of the device at its best, in words; empty if nothing speaks against them.

        A sustained measurement is made to show what a warm device does, so that only a hidden page spoils it.
        """
        if self.environment.hidden:
            return "its page was hidden meanwhile"
        throttled = "" if self.settings.sustained else self.environment.throttled
        return f"the device was slowed down: {throttled}" if throttled else ""

    def to_json(self) -> str:
        """The document as JSON text, lists of numbers on one line; :meth:`from_json` reads it back equal."""
        text = json.dumps(typed.plain(self), indent=2, ensure_ascii=False, allow_nan=False)
        return _NUMBERS.sub(_one_line, text) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "document") -> "Document":
        """Read and validate a document.

        Args:
            text: The document.
            where: The file's name, for the message.

        Raises:
            InputError: The text is not JSON, of another schema, or a field is wrong; the message names the field.
        """
        data = typed.parse(text, where)
        schema = data.get("schema") if isinstance(data, dict) else None
        if not isinstance(schema, str) or schema.split(".")[0] != SCHEMA.split(".", maxsplit=1)[0]:
            raise InputError(f"{where}: schema is {str(schema)[:40]!r}, expected {SCHEMA!r}", do=_AGAIN)
        document = typed.build(cls, data, where)
        for i, result in enumerate(document.results):
            _check_result(result, f"{where}: subjects[{i}]")
        return document

    def write(self, path: Path) -> None:
        """Write the document whole, or not at all."""
        write_whole(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a document's file; see :meth:`from_json`."""
        try:
            return cls.from_json(regular(path).read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}", do="check the path") from error


_AGAIN = "read it with the Pocketlens that wrote it, or measure again"


def _one_line(numbers: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]")


def _expect(holds: bool, where: str, message: str) -> None:
    if not holds:
        raise InputError(f"{where} {message}", do=_AGAIN)


def _check_result(result: CaseResult, where: str) -> None:
    artifact = result.artifact
    _expect(min(artifact.size) >= 1, f"{where}.size", f"is {list(artifact.size)}, expected at least 1 x 1")
    _expect(artifact.bytes >= 0, f"{where}.bytes", f"is {artifact.bytes}, expected at least 0")
    if result.timing is not None:
        for name in ("load_ms", "first_ms", "warmup_count"):
            value = getattr(result.timing, name)
            _expect(value >= 0, f"{where}.timing.{name}", f"is {value}, expected at least 0")
    frames = sum(len(block.frame_ms) for block in result.blocks)
    _expect(frames <= MAX_FRAMES, f"{where}.timing.rounds", f"have {frames:,} frames, at most {MAX_FRAMES:,}")
    blocks = len(result.blocks)
    _expect(blocks <= MAX_BLOCKS, f"{where}.timing.rounds", f"are {blocks:,}, at most {MAX_BLOCKS:,}")
    for i, block in enumerate(result.blocks):
        key = f"{where}.timing.rounds[{i}]"
        _expect(len(block.frame_ms) > 0, f"{key}.frame_ms", "is empty")
        _expect(min(block.frame_ms) > 0, f"{key}.frame_ms", "holds a time that is not above 0")
        same = len(block.inference_ms) == len(block.frame_ms)
        _expect(same, f"{key}.inference_ms", f"has {len(block.inference_ms)} entries, frame_ms {len(block.frame_ms)}")
        _expect(min(block.inference_ms) >= 0, f"{key}.inference_ms", "holds a time below 0")
