"""An Android device: LiteRT's ``benchmark_model`` for ``.tflite``, or Python where it has one (Termux)."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.bench import telemetry
from pocketlens.bench.channel import WorkerError
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult, Worker
from pocketlens.bench.devices.remote import RemoteDevice
from pocketlens.bench.devices.tool import DELEGATES, ToolWorker
from pocketlens.bench.document import Host, Snapshot
from pocketlens.errors import MissingError
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

if TYPE_CHECKING:
    from pocketlens.bench.devices.adb import Adb

_FOUND_AT = ("/data/local/tmp/benchmark_model", "/data/local/tmp/pocketlens/benchmark_model")
_PYTHONS = ("python3", "/data/data/com.termux/files/usr/bin/python3")
_LEAST_BATTERY = 15
_EMULATORS = ("ranchu", "goldfish", "cuttlefish", "vsoc")
_HOST = (
    "for p in ro.product.manufacturer ro.product.model ro.build.version.release ro.product.cpu.abi ro.hardware "
    'ro.soc.model ro.kernel.qemu ro.build.version.security_patch; do echo "$p=$(getprop $p)"; done; '
    'echo "kernel=$(uname -r)"; echo "machine=$(uname -m)"; echo "cores=$(nproc)"; grep MemTotal /proc/meminfo; '
    'echo "arch=$(cat /proc/sys/kernel/arch 2>/dev/null)"'
)
_STATE = (
    "echo @battery; dumpsys battery; echo @thermal; dumpsys thermalservice; echo @power; dumpsys power | "
    "grep mWakefulness=; echo @load; cat /proc/loadavg; echo @governor; "
    "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor; echo @frequency; "
    "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq; echo @zones; cat /sys/class/thermal/thermal_zone*/temp; true"
)


class Android:
    """See :class:`~pocketlens.bench.devices.device.Device`.

    Args:
        adb: How it is reached.
        tool: ``benchmark_model`` here, to be copied there; None if it is there already.
    """

    def __init__(self, adb: "Adb", tool: Path | None) -> None:
        self._adb, self._tool = adb, tool
        self._folder = ""
        self._there = ""
        self._with_tool = False
        self.emulated = False

    @property
    def name(self) -> str:
        """As users write it; complete once the device has been found."""
        return self._adb.name

    @cached_property
    def _tool_there(self) -> str:
        """Where the tool is on the device, or an empty string; one that is here will be copied."""
        self._adb.find()
        if self._tool is not None:
            return _FOUND_AT[1]
        found = self._adb.run(f"for f in {' '.join(_FOUND_AT)}; do test -x $f && echo $f; done; true", 30).split()
        return found[0] if found else ""

    @cached_property
    def _python(self) -> RemoteDevice | None:
        """Its Python, if it has one that fits."""
        self._adb.find()
        for python in _PYTHONS:
            device = RemoteDevice(self._adb, python)
            try:
                assert device.probe
            except MissingError:
                continue
            return device
        return None

    def missing(self, runtime: str) -> str:
        if runtime == "litert" and self._tool_there:
            return ""
        if self._python is None:
            return (
                f"{self._adb.name} has neither benchmark_model nor Python"
                if runtime == "litert"
                else f"{self._adb.name} has no Python"
            )
        return self._python.missing(runtime)

    def delegates(self, runtime: str) -> Sequence[str]:
        return tuple(DELEGATES) if runtime == "litert" and self._tool_there else RUNTIMES[runtime].delegates

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Check that the device is fit to be measured, and copy there what is needed.

        Raises:
            MissingError: It is hot or nearly empty, or has nothing that plays what is asked for.
        """
        self._adb.find()
        self._check()
        self._folder = self._adb.run(
            f"mkdir -p {self._adb.cache} && mktemp -d {self._adb.cache}/run-XXXXXX", 30
        ).strip()
        if self._tool is not None:
            self._adb.put(self._tool, self._tool_there)
            self._adb.run(f"chmod 755 {self._tool_there}", 30)
        self._with_tool = bool(self._tool_there)
        others = [name for name in runtimes if name != "litert" or not self._with_tool]
        if others and self._python is not None:
            self._python.prepare(others)
        elif others and not self._with_tool:
            raise MissingError(
                f"{self.name} has nothing that plays {', '.join(others)}",
                do="give LiteRT's benchmark_model with --benchmark-model, or install Python in Termux",
            )

    def _check(self) -> None:
        state = self._state()
        battery, thermal = telemetry.battery(state.get("battery", "")), telemetry.thermal(state.get("thermal", ""))
        if battery and battery.percent is not None and battery.percent < _LEAST_BATTERY and not battery.plugged:
            raise MissingError(
                f"{self.name} has {battery.percent:.0f} % of its battery left, and saves power", do="charge it first"
            )
        if thermal and thermal.status is not None and thermal.status >= telemetry.HOT:
            raise MissingError(
                f"{self.name} is hot: thermal state {telemetry.THERMAL[min(thermal.status, 6)]}", do="let it cool down"
            )

    def host(self) -> Host:
        text = self._adb.run(_HOST, 30)
        told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        memory = re.search(r"MemTotal:\s*(\d+) kB", text)
        machine, arch = told.get("machine", ""), told.get("arch", "")
        hardware = told.get("ro.hardware", "")
        self.emulated = (
            self._adb.serial.startswith("emulator-")
            or told.get("ro.kernel.qemu") == "1"
            or hardware.startswith(_EMULATORS)
            or bool(arch and machine and arch != machine)
        )
        chip = told.get("ro.soc.model") or hardware
        cores = told.get("cores", "")
        return Host(
            os=f"Android {told.get('ro.build.version.release', '')}".strip(),
            kernel=f"Linux {told.get('kernel', '')}",
            machine=told.get("ro.product.cpu.abi") or machine,
            cpu=f"{told.get('ro.product.manufacturer', '')} {told.get('ro.product.model', '')} ({chip})".strip(),
            cores=int(cores) if cores.isdigit() and int(cores) else 1,
            memory_mb=round(int(memory[1]) * 1024 / 1e6) if memory else None,
            python="",
            pocketlens="",
            packages={"benchmark_model": "given" if self._tool else "found there"} if self._with_tool else {},
        )

    def snapshot(self) -> Snapshot:
        state = self._state()
        battery, thermal = telemetry.battery(state.get("battery", "")), telemetry.thermal(state.get("thermal", ""))
        heat = list(thermal.temperatures.values()) if thermal else []
        heat += [zone for zone in [telemetry.zones(state.get("zones", "").split())] if zone is not None]
        clocks = [int(one) for one in state.get("frequency", "").split() if one.isdigit()]
        load = state.get("load", "").split()
        status = thermal.status if thermal else None
        return Snapshot(
            load=float(load[0]) if load and re.fullmatch(r"[\d.]+", load[0]) else None,
            governor=state.get("governor", "").strip() or None,
            frequency_mhz=round(max(clocks) / 1000) if clocks else None,
            temperature_c=max(heat) if heat else battery.temperature_c if battery else None,
            throttled=None
            if status is None
            else ""
            if status == 0
            else f"thermal state {telemetry.THERMAL[min(status, 6)]}",
            battery_percent=battery.percent if battery else None,
            plugged=battery.plugged if battery else None,
            charging=battery.charging if battery else None,
            screen_on=telemetry.screen_on(state.get("power", "")),
        )

    def _state(self) -> dict[str, str]:
        """What the device prints about itself, by section; sections that it does not know are empty."""
        text = self._adb.run(f"{{ {_STATE}; }} 2>/dev/null", 30)
        parts = re.split(r"^@(\w+)\n", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=False))

    def start(self) -> Worker:
        return _Either(self)

    def worker(self, runtime: str) -> Worker:
        """A worker for one runtime."""
        if runtime == "litert" and self._with_tool:
            return ToolWorker(self._adb, self._tool_there, self._folder)
        if self._python is None:
            raise MissingError(f"{self.name} has no Python", do="install it in Termux")
        return self._python.start()

    def again(self) -> None:
        self._adb.again()
        if (python := self.__dict__.get("_python")) is not None:
            python.again()

    def close(self) -> None:
        try:
            if self._folder:
                self._adb.run(f"rm -rf {self._folder}", 30)
        except (WorkerError, MissingError):
            pass  # it is gone
        finally:
            self._folder = ""
            if (python := self.__dict__.get("_python")) is not None:
                python.close()


class _Either:
    """A worker that is the tool or Python, which shows when it is told what to load."""

    def __init__(self, device: Android) -> None:
        self._device = device
        self._chosen: Worker | None = None

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        self._chosen = self._device.worker(runtime)
        return self._chosen.load(path, runtime, options, seconds)

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        return self._there.first(picture, expected, seconds)

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        return self._there.play(block_seconds, block_count, seconds)

    def peak_mb(self, seconds: float) -> float | None:
        return self._there.peak_mb(seconds)

    @property
    def _there(self) -> Worker:
        if self._chosen is None:
            raise WorkerError("nothing is loaded", do="load first")
        return self._chosen

    def close(self) -> None:
        if self._chosen is not None:
            self._chosen.close()
