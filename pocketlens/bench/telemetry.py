"""Parsers of what devices print about their temperature, clocks and power. Every parser takes text and never fails.

Sources: the Raspberry Pi documentation on ``vcgencmd``; AOSP's ``Temperature.java``, ``ThermalManagerService.java`` and
``BatteryService.java`` for ``dumpsys``. A value that cannot be true is left out: some Android zones give degrees where
the kernel's rule is millidegrees, and emulators give a battery of 2.6 °C.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

THROTTLING = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
"""Bits 0 to 3 of ``vcgencmd get_throttled`` (now), and 16 to 19 (since boot)."""
THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Android's thermal states, by number."""
HOT = 2
"""From this Android thermal state on the system slows apps down."""

_CHARGING, _FULL = 2, 5
_BATTERY_SENSOR = 2


@dataclass(frozen=True)
class Throttling:
    """``vcgencmd get_throttled``: what holds now, and what has held since boot."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


@dataclass(frozen=True)
class Battery:
    """``dumpsys battery``.

    Attributes:
        percent: 0..100.
        plugged: Whether power comes from outside; a phone that is plugged in has other thermal limits than one in a
            hand.
        charging: Whether the battery takes charge, which warms it.
        temperature_c: Its temperature, or None if the value cannot be true.
        faked: Whether the values were set by hand (``dumpsys battery set``).
    """

    percent: float | None
    plugged: bool
    charging: bool
    temperature_c: float | None
    faked: bool


@dataclass(frozen=True)
class Thermal:
    """``dumpsys thermalservice`` (Android 10 and later): the state by number, and sensors by name in °C."""

    status: int | None
    temperatures: dict[str, float]


def plausible(degrees: float) -> bool:
    """Whether a device can have this temperature, in °C."""
    return 0 < degrees < 150


def pi_temperature(text: str) -> float | None:
    """``vcgencmd measure_temp``, in °C.

    Example:
        >>> pi_temperature("temp=52.0'C")
        52.0
    """
    match = re.search(r"temp=([\d.]+)'C", text)
    degrees = number(match[1]) if match else None
    return degrees if degrees is not None and plausible(degrees) else None


def pi_clock(text: str) -> float | None:
    """``vcgencmd measure_clock arm``, in MHz. The number of the clock differs between models.

    Example:
        >>> pi_clock("frequency(48)=1500345728")
        1500.0
    """
    match = re.search(r"frequency\([0-9]+\)=([0-9]{1,15})\b", text)
    return round(int(match[1]) / 1e6, 0) if match and int(match[1]) else None


def pi_throttling(text: str) -> Throttling | None:
    """``vcgencmd get_throttled``.

    Example:
        >>> pi_throttling("throttled=0x50005")
        Throttling(now=('under-voltage', 'throttled'), since_boot=('under-voltage', 'throttled'))
    """
    match = re.search(r"throttled=0x([0-9a-fA-F]{1,16})\b", text)
    if not match:
        return None
    bits = int(match[1], 16)
    now, since = (tuple(name for i, name in enumerate(THROTTLING) if bits >> (base + i) & 1) for base in (0, 16))
    return Throttling(now, since)


def zones(values: Iterable[str]) -> float | None:
    """The hottest of the texts of ``/sys/class/thermal/thermal_zone*/temp``, in °C.

    Example:
        >>> zones(["48312", "-40", "51", "nonsense"])
        51.0
    """
    temperatures = []
    for text in values:
        value = number(text.strip())
        if value is not None and value.is_integer():
            temperatures.append(value / 1000 if abs(value) >= 1000 else value)
    possible = [degrees for degrees in temperatures if plausible(degrees)]
    return round(max(possible), 1) if possible else None


def battery(text: str) -> Battery | None:
    """``dumpsys battery``; None if this is not what it prints."""
    fields = _fields(text)
    if "level" not in fields:
        return None
    level, scale, status = (number(fields.get(name, "")) for name in ("level", "scale", "status"))
    tenths = number(fields.get("temperature", ""))
    degrees = tenths / 10 if tenths is not None else None
    return Battery(
        percent=100 * level / (scale or 100) if level is not None else None,
        plugged=any(fields.get(f"{kind} powered") == "true" for kind in ("AC", "USB", "Wireless", "Dock")),
        charging=status == _CHARGING,
        temperature_c=degrees if degrees is not None and 5 < degrees < 80 else None,
        faked="UPDATES STOPPED" in text,
    )


def thermal(text: str) -> Thermal | None:
    """``dumpsys thermalservice``; None if this is not what it prints. A sensor of 0.0 is one that is not there."""
    status = re.search(r"Thermal Status:\s*([0-9]{1,3})\b", text)
    if not status:
        return None
    section = text.partition("Current temperatures from HAL:")[2] or text
    section = section.partition("Current cooling devices")[0].partition("Temperature static thresholds")[0]
    temperatures = {}
    pattern = r"Temperature\{mValue=(-?[\d.]+), mType=(-?[0-9]{1,9}), mName=([^,}]{1,99})"
    for value, kind, name in re.findall(pattern, section):
        degrees = number(value)
        if degrees is not None and plausible(degrees) and int(kind) != _BATTERY_SENSOR:
            temperatures[name] = degrees
    return Thermal(int(status[1]), temperatures)


def screen_on(text: str) -> bool | None:
    """Whether the screen is on, from ``dumpsys power``; None if it does not say.

    Example:
        >>> screen_on("  mWakefulness=Asleep")
        False
    """
    match = re.search(r"mWakefulness=(\w+)", text)
    return match[1] == "Awake" if match else None


def jank(text: str) -> Mapping[str, float]:
    """``dumpsys gfxinfo PACKAGE``: frames rendered, janky ones, and percentiles of the frame time in ms.

    Example:
        >>> jank("Total frames rendered: 105\\nJanky frames: 2 (1.90%)\\n50th percentile: 5ms")
        {'frames': 105.0, 'janky': 2.0, 'p50_ms': 5.0}
    """
    figures = {}
    for name, pattern in (
        ("frames", r"Total frames rendered: ([0-9]{1,12})"),
        ("janky", r"Janky frames: ([0-9]{1,12})"),
    ):
        if match := re.search(pattern, text):
            figures[name] = float(match[1])
    percentiles = re.findall(r"([0-9]{1,2})th percentile: ([0-9]{1,9})ms", text)
    return figures | {f"p{rank}_ms": float(ms) for rank, ms in percentiles}


def _fields(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines if value}


def number(text: str) -> float | None:
    """A number of at most 15 digits before the point; None if the text is none.

    Example:
        >>> number("-1.5"), number("1.2.3"), number("9" * 400)
        (-1.5, None, None)
    """
    return float(text) if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text) else None
