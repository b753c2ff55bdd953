"""The measurement document: raw samples with their environment. Statistics are derived from it, never stored alone.

Times are wall-clock milliseconds, memory and sizes are megabytes of 10**6 bytes.
"""

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bundle import typed
from pocketlens.errors import InputError
from pocketlens.files import write as write_whole

HISTORY = {
    "1.0": "environment, settings, and of each subject its artifact, runtime, picture, check, timing, memory, skipped and failure",
    "1.1": "battery, throttling and snapshots taken during the measurement; sustained measurements; resumed connections; "
    "delegate; added later under the same version: macs of an artifact, simd and max_mhz of the processor",
    "1.2": "asked_delegate and asked_precision, beside what the runtime did; added later under the same version: "
    "settings.least_rounds",
}
"""Each version of the document and the fields that it added."""
SCHEMA = "1.2"
"""The version that is written. Another major version is refused; unknown keys of a later minor version are ignored."""

MB = 1e6
QUIET = 0.25
"""The share of all cores that others may use before a machine is called busy."""
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

    os: str
    kernel: str
    machine: str
    cpu: str
    cores: int
    memory_mb: float | None
    python: str
    pocketlens: str
    packages: dict[str, str]
    simd: tuple[str, ...] = ()
    max_mhz: float | None = None


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
    """

    load: float | None = None
    busy: float | None = None
    governor: str | None = None
    frequency_mhz: float | None = None
    temperature_c: float | None = None
    throttled: str | None = None
    throttled_since_boot: str | None = None
    battery_percent: float | None = None
    plugged: bool | None = None
    charging: bool | None = None
    screen_on: bool | None = None


@dataclass(frozen=True)
class TimedSnapshot:
    """A snapshot taken while the measurement went on; ``at_s`` on the clock of :class:`Block`."""

    at_s: float
    snapshot: Snapshot


@dataclass(frozen=True)
class Environment:
    """Where and when a document was measured.

    Attributes:
        device: ``"local"``, ``"ssh://pi@host"``, ``"adb:SERIAL"``.
        emulated: Whether the device is an emulator; such figures are never compared with real ones.
        time: When the measuring began, UTC, ISO 8601.
        during: Taken between blocks, in a sustained measurement every few seconds.
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
        states = [self.before, *(one.snapshot for one in self.during), self.after]
        found = {part for one in states for part in (one.throttled or "").split(", ") if part}
        # The sticky bits tell of what happened between two looks, if they were clear before.
        was, later = ((one.throttled_since_boot or "").split(", ") for one in (self.before, self.after))
        return ", ".join(sorted(found | {part for part in later if part and part not in was}))

    @property
    def disturbed(self) -> str:
        """What else the machine was doing, in words, if it was doing too much; empty for a quiet machine."""
        shares = [one.busy for one in (self.before, self.after) if one.busy is not None]
        if not shares or max(shares) <= QUIET:
            return ""
        return f"the machine was busy with something else: {max(shares):.0%} of its cores while nothing was measured"


@dataclass(frozen=True)
class BenchmarkSettings:
    """How long to measure, and when a subject is warm.

    A subject is measured until both ``seconds`` and ``count`` are reached, or ``most_seconds`` have passed. It is played
    in blocks of at least ``block_seconds`` and ``block_count`` frames, in turn with the others. It is warm when the medians
    of two neighbouring blocks differ by less than ``warm_change``; after ``warm_seconds`` it is measured all the same, and
    marked as not warm.

    Attributes:
        least_rounds: How many blocks of a subject there must be; what plays outside Python may give all frames in one.
        sustained: Whether subjects are played one after the other, each alone and to its end, instead of in turns; the
            verdict is then on the last minute.
        cooldown_seconds: How long to wait between two subjects of a sustained measurement, at most; it goes on earlier
            where the device tells that it is as cool as in the beginning.
        resumes: How often a lost connection is made again for one subject.
        answer_seconds: How long a worker may stay silent beyond what it was asked to play, before it counts as hung.
    """

    seconds: float = 1.5
    count: int = 30
    most_seconds: float = 60.0
    block_seconds: float = 0.25
    block_count: int = 3
    warm_change: float = 0.05
    warm_seconds: float = 3.0
    answer_seconds: float = 120.0
    sustained: bool = False
    cooldown_seconds: float = 0.0
    resumes: int = 3
    least_rounds: int = 1

    def __post_init__(self) -> None:
        for name in ("seconds", "most_seconds", "block_seconds", "warm_change", "warm_seconds", "answer_seconds"):
            _expect(getattr(self, name) > 0, f"settings.{name}", f"is {getattr(self, name)}, expected more than 0")
        for name in ("count", "block_count", "least_rounds"):
            _expect(getattr(self, name) >= 1, f"settings.{name}", f"is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class PictureCheck:
    """The first picture against the expected one, before anything was timed: PSNR in dB and the limit it must reach."""

    psnr: float
    largest_error: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the picture is the expected one."""
        return self.psnr >= self.limit


@dataclass(frozen=True)
class Memory:
    """Resident memory of the subject's own process.

    Attributes:
        baseline_mb: The peak before the runtime was imported: Python, numpy, Pillow.
        peak_mb: The peak after the last frame.
    """

    baseline_mb: float
    peak_mb: float

    @property
    def added_mb(self) -> float:
        """What the runtime, the artifact and its buffers added: the part that an app would carry."""
        return max(0.0, self.peak_mb - self.baseline_mb)


@dataclass(frozen=True)
class Block:
    """One block of frames, played without a break.

    Attributes:
        at_s: When it ended, in seconds since the first timed block of the document.
        frame_ms: Picture in to picture out (``session(image)``), ``uint8`` both, at the artifact's size.
        inference_ms: The part of each frame that the runtime took, until its output had been read back.
    """

    at_s: float
    frame_ms: tuple[float, ...]
    inference_ms: tuple[float, ...]


@dataclass(frozen=True)
class Timing:
    """Raw times of one subject.

    Attributes:
        load_ms: Opening the artifact in the runtime, the runtime's library already imported.
        first_ms: The first frame after loading.
        warmup_count: Frames played before the timed ones.
        warm: Whether the warm-up became stable.
        rounds: The timed frames, in the order in which they were played.
    """

    load_ms: float
    first_ms: float
    warmup_count: int
    warm: bool
    rounds: tuple[Block, ...]


@dataclass(frozen=True)
class CaseResult:
    """One subject: an artifact in a runtime, and what became of it.

    Attributes:
        artifact: Its id, for instance ``"tflite-fp16-256x256"``.
        size: Height and width, in pixels.
        bytes: On disk, all files of the artifact together.
        threads: As asked for; None leaves the choice to the runtime.
        effective_threads: As the runtime says; None where it does not say.
        effective_precision: The precision that is really computed in, where the runtime says.
        interpreted: Played by an interpreter that shows what an artifact computes, not how fast; never timed.
        picture: SHA-256 of the picture's shape and pixels; only equal ones may be compared.
        check: None if there was no expected picture.
        timing: None if the subject was not timed; a subject that failed midway keeps what it had.
        skipped: Why the subject was not played through no fault of its own, or None.
        failure: Why the subject failed, or None.
        resumed: How often the connection was lost and made again; the subject was then loaded and warmed up again.
        macs: Multiply-adds of one picture, where they were known.
        delegate: What the runtime hands the work to (``"xnnpack"``, ``"gpu"``), where that was chosen.
        asked_delegate: As asked for; None leaves the choice to the runtime.
        asked_precision: What it was asked to compute in; None leaves the choice to the runtime.
    """

    artifact: str
    target: str
    precision: str
    size: tuple[int, int]
    bytes: int
    runtime: str
    threads: int | None
    picture: str
    interpreted: bool = False
    runtime_version: str | None = None
    effective_threads: int | None = None
    effective_precision: str | None = None
    check: PictureCheck | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    skipped: str | None = None
    failure: str | None = None
    resumed: int = 0
    delegate: str | None = None
    macs: int | None = None
    asked_delegate: str | None = None
    asked_precision: str | None = None

    @property
    def setting(self) -> str:
        """What was asked for of its runtime, in words: ``"2 threads, xnnpack"``; empty if nothing was."""
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}" if self.threads else ""
        precision = f"computing in {self.asked_precision}" if self.asked_precision else ""
        return ", ".join(filter(None, (threads, self.asked_delegate, precision)))

    @property
    def label(self) -> str:
        """Names the subject in tables: ``"onnx-fp32-256x256 in openvino, 2 threads"``."""
        return ", ".join(filter(None, (f"{self.artifact} in {self.runtime}", self.setting)))

    @property
    def rounds(self) -> tuple[Block, ...]:
        """The timed rounds; empty if there are none."""
        return self.timing.rounds if self.timing else ()


@dataclass(frozen=True)
class Document:
    """One run of the harness on one device."""

    environment: Environment
    settings: BenchmarkSettings
    subjects: tuple[CaseResult, ...]
    schema: str = SCHEMA

    def to_json(self) -> str:
        """The document as JSON text, lists of numbers on one line; :meth:`from_json` reads it back equal."""
        text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        return (
            _NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text) + "\n"
        )

    @classmethod
    def from_json(cls, text: str, where: str = "document") -> "Document":
        """Read and validate a document.

        Raises:
            InputError: The text is not JSON, of another schema, or a field is wrong; the message names the field.
        """
        data = typed.parse(text, where)
        schema = data.get("schema") if isinstance(data, dict) else None
        if not isinstance(schema, str) or schema.split(".")[0] != SCHEMA.split(".", maxsplit=1)[0]:
            raise InputError(f"{where}: schema is {str(schema)[:40]!r}, expected {SCHEMA!r}", do=_AGAIN)
        document = typed.build(cls, data, where)
        for i, result in enumerate(document.subjects):
            _check_result(result, f"{where}: subjects[{i}]")
        return document

    def write(self, path: Path) -> None:
        """Write the document whole, or not at all."""
        write_whole(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a document's file; see :meth:`from_json`."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}", do="check the path") from error


_AGAIN = "read it with the Pocketlens that wrote it, or measure again"


def _expect(holds: bool, where: str, message: str) -> None:
    if not holds:
        raise InputError(f"{where} {message}", do=_AGAIN)


def _check_result(result: CaseResult, where: str) -> None:
    _expect(min(result.size) >= 1, f"{where}.size", f"is {list(result.size)}, expected at least 1 x 1")
    _expect(result.bytes >= 0, f"{where}.bytes", f"is {result.bytes}, expected at least 0")
    if result.timing is not None:
        for name in ("load_ms", "first_ms", "warmup_count"):
            value = getattr(result.timing, name)
            _expect(value >= 0, f"{where}.timing.{name}", f"is {value}, expected at least 0")
    for i, one in enumerate(result.rounds):
        spot = f"{where}.timing.rounds[{i}]"
        _expect(len(one.frame_ms) > 0, f"{spot}.frame_ms", "is empty")
        _expect(min(one.frame_ms) > 0, f"{spot}.frame_ms", "holds a time that is not above 0")
        same = len(one.inference_ms) == len(one.frame_ms)
        _expect(same, f"{spot}.inference_ms", f"has {len(one.inference_ms)} entries, frame_ms {len(one.frame_ms)}")
        _expect(min(one.inference_ms) >= 0, f"{spot}.inference_ms", "holds a time below 0")
