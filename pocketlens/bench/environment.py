"""The machine's own facts and state, from ``/proc``, ``/sys`` and the standard library alone."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pocketlens.bench import telemetry
from pocketlens.bench.document import MB, Host, Snapshot
from pocketlens.machine import cores, cpu, fields, text
from pocketlens.runtimes.adapter import RUNTIMES

PACKAGES = tuple(dict.fromkeys(("numpy", "pillow", *(name for r in RUNTIMES.values() for name in r.distributions))))
"""The distributions whose versions matter to a measurement."""

SIMD = ("amx_tile", "avx512f", "avx512_bf16", "avx512_vnni", "avx2", "fma", "sve", "asimd", "asimddp", "neon")
"""The features of processors that decide how much they compute a cycle."""

_BUSY_SECONDS = 0.2


def host() -> Host:
    """The machine and the software that stay as they are during a measurement."""
    return Host(
        os=_os(),
        kernel=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=cpu(),
        cores=cores(),
        memory_mb=_memory(),
        python=platform.python_version(),
        pocketlens=_version("pocketlens") or "unknown",
        packages={name: installed for name in PACKAGES if (installed := _version(name))},
        simd=_simd(),
        max_mhz=_max_mhz(),
    )


def emulation(root: Path = Path("/")) -> str:
    """Why this machine counts as emulated, or an empty string. The time that an emulator takes is no device's latency.

    Args:
        root: Where ``proc`` and ``sys`` are; another folder for recorded samples of other machines.
    """
    machine = platform.machine()
    # Under qemu-user the kernel is the host's, and since Linux 6.1 it says what it was built for.
    kernel = text(root / "proc/sys/kernel/arch")
    if kernel and kernel != machine and _FAMILY.get(kernel, kernel) != _FAMILY.get(machine, machine):
        return f"a program for {machine} on a kernel for {kernel}: qemu-user"
    info = text(root / "proc/cpuinfo")
    if machine.startswith(("aarch64", "arm")) and fields(info, "vendor_id"):
        return f"a program for {machine} on a processor of {fields(info, 'vendor_id')[0]}: qemu-user"
    board = text(root / "proc/device-tree/model") or ""
    if machine.startswith(("aarch64", "arm")) and ("dummy-virt" in board or "QEMU" in board):
        return f"the board is {board}"
    if "QEMU TCG" in " ".join(fields(info, "model name")):
        return "the processor is QEMU's TCG"
    return ""


_FAMILY = {
    "i386": "x86",
    "i686": "x86",
    "x86_64": "x86",
    "aarch64": "arm",
    "armv7l": "arm",
    "armv6l": "arm",
    "arm": "arm",
}


def snapshot(root: Path = Path("/")) -> Snapshot:
    """The state of the machine now; takes 0.2 s, during which nothing else of the harness may run.

    Args:
        root: Where ``proc`` and ``sys`` are; another folder for recorded samples of other machines.
    """
    throttling = telemetry.pi_throttling(_vcgencmd("get_throttled"))
    return Snapshot(
        load=_load(),
        busy=_busy(root),
        governor=text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        frequency_mhz=_frequency(root),
        temperature_c=_temperature(root),
        throttled=", ".join(throttling.now) if throttling else None,
        throttled_since_boot=", ".join(throttling.since_boot) if throttling else None,
    )


def _vcgencmd(*words: str) -> str:
    """What the Raspberry Pi's firmware answers; empty on other machines."""
    if (command := shutil.which("vcgencmd")) is None:
        return ""
    try:
        return subprocess.run([command, *words], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _numbers(paths: Iterable[Path]) -> list[float]:
    numbers = []
    for path in paths:
        value = text(path) or ""
        if value.removeprefix("-").isdigit():
            numbers.append(float(value))
    return numbers


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _os() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.platform(terse=True)


def _simd() -> tuple[str, ...]:
    info = text(Path("/proc/cpuinfo"))
    flags = {flag for key in ("flags", "features") for line in fields(info, key) for flag in line.split()}
    return tuple(name for name in SIMD if name in flags)


def _max_mhz() -> float | None:
    kilohertz = _numbers(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq"))
    return round(max(kilohertz) / 1000) if kilohertz else None


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MB)
    except (AttributeError, ValueError, OSError):
        return None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def _ticks(root: Path) -> tuple[int, int] | None:
    """Ticks that all cores have spent, and those of them spent idle or waiting for a disk."""
    first = (text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(first) < 6 or first[0] != "cpu" or not all(field.isdigit() for field in first[1:]):
        return None
    ticks = [int(field) for field in first[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def _busy(root: Path) -> float | None:
    before = _ticks(root)
    time.sleep(_BUSY_SECONDS)
    after = _ticks(root)
    if before is None or after is None or after[0] <= before[0]:
        return None
    return round(1 - (after[1] - before[1]) / (after[0] - before[0]), 2)


def _frequency(root: Path) -> float | None:
    kilohertz = _numbers((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    if kilohertz:
        return round(max(kilohertz) / 1000)
    if clock := telemetry.pi_clock(_vcgencmd("measure_clock", "arm")):
        return clock
    megahertz = [
        float(field) for field in fields(text(root / "proc/cpuinfo"), "cpu MHz") if field.replace(".", "", 1).isdigit()
    ]
    return round(max(megahertz)) if megahertz else None


def _temperature(root: Path) -> float | None:
    zones = telemetry.zones(text(path) or "" for path in (root / "sys/class/thermal").glob("thermal_zone*/temp"))
    return zones if zones is not None else telemetry.pi_temperature(_vcgencmd("measure_temp"))
