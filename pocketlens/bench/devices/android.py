"""An Android device: LiteRT's ``benchmark_model`` for ``.tflite``, or Python where it has one (Termux)."""

import os
import re
import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pocketlens.bench import telemetry
from pocketlens.bench.devices import benchmark_model
from pocketlens.bench.devices.adb import Adb
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult, Worker
from pocketlens.bench.devices.remote import RemoteDevice, path_there
from pocketlens.bench.devices.worker_protocol import check_facts
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bench.errors import WorkerError
from pocketlens.errors import InputError, MissingError, PocketlensError
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

_TOOL_PATHS = ("/data/local/tmp/benchmark_model", "/data/local/tmp/pocketlens/benchmark_model")
_PYTHONS = ("python3", "/data/data/com.termux/files/usr/bin/python3")
_MIN_BATTERY_PERCENT = 15
_EMULATORS = ("ranchu", "goldfish", "cuttlefish", "vsoc")
_HOST_SCRIPT = (
    "for p in ro.product.manufacturer ro.product.model ro.build.version.release ro.product.cpu.abi ro.hardware "
    'ro.soc.model ro.kernel.qemu ro.build.version.security_patch; do echo "$p=$(getprop $p)"; done; '
    'echo "kernel=$(uname -r)"; echo "machine=$(uname -m)"; echo "cores=$(nproc)"; grep MemTotal /proc/meminfo; '
    'echo "arch=$(cat /proc/sys/kernel/arch 2>/dev/null)"'
)
_STATE_SCRIPT = (
    "echo @battery; dumpsys battery; echo @thermal; dumpsys thermalservice; echo @power; dumpsys power | "
    "grep mWakefulness=; echo @load; cat /proc/loadavg; echo @governor; "
    "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor; echo @frequency; "
    "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq; echo @zones; "
    "cat /sys/class/thermal/thermal_zone*/temp; true"
)


class Android:
    """See :class:`~pocketlens.bench.devices.device.Device`.

    Args:
        adb: How the device is reached.
        tool: ``benchmark_model`` on this machine, to be copied there; None if the device has it already.
    """

    def __init__(self, adb: Adb, tool: Path | None) -> None:
        self._adb, self._tool = adb, tool
        self._folder = ""
        self._with_tool = False
        self.emulated = False
        self.together = ""

    @property
    def name(self) -> str:
        """As users write it; complete once the device has been found."""
        return self._adb.name

    @cached_property
    def _tool_path(self) -> str:
        """The tool's path on the device, where it is or will be copied to; empty if there is no tool."""
        self._adb.find()
        if self._tool is not None:
            return _TOOL_PATHS[1]
        paths = self._adb.run(f"for f in {' '.join(_TOOL_PATHS)}; do test -x $f && echo $f; done; true", 30).split()
        return paths[0] if paths else ""

    @cached_property
    def _python(self) -> RemoteDevice | None:
        """The device's Python, if it has one that is new enough."""
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
        if self._plays_with_tool(runtime):
            return ""
        if self._python is None:
            return (
                f"{self._adb.name} has neither benchmark_model nor Python"
                if runtime == benchmark_model.RUNTIME
                else f"{self._adb.name} has no Python"
            )
        return self._python.missing(runtime)

    def _plays_with_tool(self, runtime: str) -> bool:
        return runtime == benchmark_model.RUNTIME and bool(self._tool_path)

    def accelerators(self, runtime: str) -> Sequence[str]:
        if self._plays_with_tool(runtime):
            return (*benchmark_model.PROCESSORS, *benchmark_model.DELEGATES)
        return RUNTIMES[runtime].accelerators

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Check that the device is fit to be measured, and copy there what is needed.

        Raises:
            MissingError: Its battery is low, it is hot, or nothing on it plays one of the runtimes.
        """
        self._adb.find()
        self._check()
        made = self._adb.run(f"mkdir -p {self._adb.cache} && mktemp -d {self._adb.cache}/run-XXXXXX", 30)
        self._folder = path_there(made)
        if self._tool is not None:
            self._adb.put(self._tool, self._tool_path)
            self._adb.run(f"chmod 755 {self._tool_path}", 30)
        self._with_tool = bool(self._tool_path)
        others = [name for name in runtimes if name != benchmark_model.RUNTIME or not self._with_tool]
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
        if battery and battery.percent is not None and battery.percent < _MIN_BATTERY_PERCENT and not battery.plugged:
            raise MissingError(
                f"{self.name} has {battery.percent:.0f} % of its battery left, and saves power", do="charge it first"
            )
        if thermal and thermal.status is not None and thermal.status >= telemetry.HOT:
            raise MissingError(
                f"{self.name} is hot: thermal state {telemetry.THERMAL[min(thermal.status, 6)]}", do="let it cool down"
            )

    def host(self) -> Host:
        text = self._adb.run(_HOST_SCRIPT, 30)
        properties = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        memory = re.search(r"MemTotal:\s*([0-9]{1,12}) kB", text)
        machine, arch = properties.get("machine", ""), properties.get("arch", "")
        hardware = properties.get("ro.hardware", "")
        self.emulated = (
            self._adb.serial.startswith("emulator-")
            or properties.get("ro.kernel.qemu") == "1"
            or hardware.startswith(_EMULATORS)
            or bool(arch and machine and arch != machine)
        )
        chip = properties.get("ro.soc.model") or hardware
        cores = properties.get("cores", "")
        maker, model = (properties.get(f"ro.product.{name}", "") for name in ("manufacturer", "model"))
        host = Host(
            os=f"Android {properties.get('ro.build.version.release', '')}".strip(),
            kernel=f"Linux {properties.get('kernel', '')}",
            machine=properties.get("ro.product.cpu.abi") or machine,
            cpu=f"{maker} {model} ({chip})".strip(),
            cores=int(cores) if re.fullmatch(r"[1-9][0-9]{0,5}", cores) else 1,
            memory_mb=round(int(memory[1]) * 1024 / 1e6) if memory else None,
            python="",
            pocketlens="",
            packages={"benchmark_model": "given" if self._tool else "found there"} if self._with_tool else {},
        )
        return check_facts(host)

    def snapshot(self) -> Snapshot:
        state = self._state()
        battery, thermal = telemetry.battery(state.get("battery", "")), telemetry.thermal(state.get("thermal", ""))
        heat = list(thermal.temperatures.values()) if thermal else []
        heat += [zone for zone in [telemetry.zones(state.get("zones", "").split())] if zone is not None]
        clocks = [int(word) for word in state.get("frequency", "").split() if re.fullmatch(r"[0-9]{1,12}", word)]
        load = state.get("load", "").split()
        status = thermal.status if thermal else None
        facts = Snapshot(
            load=telemetry.number(load[0]) if load else None,
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
        return check_facts(facts)

    def _state(self) -> dict[str, str]:
        """What the device prints about its state, by section; a section that it does not have is empty."""
        text = self._adb.run(f"{{ {_STATE_SCRIPT}; }} 2>/dev/null", 30)
        parts = re.split(r"^@(\w+)\n", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=False))

    def start(self) -> Worker:
        return _ToolOrPythonWorker(self)

    def worker(self, runtime: str) -> Worker:
        """A worker for one runtime."""
        if runtime == benchmark_model.RUNTIME and self._with_tool:
            return benchmark_model.ToolWorker(self._adb, self._tool_path, self._folder)
        if self._python is None:
            raise MissingError(f"{self.name} has no Python", do="install it in Termux")
        return self._python.start()

    def reconnect(self) -> None:
        self._adb.reconnect()
        if (python := self.__dict__.get("_python")) is not None:
            python.reconnect()

    def close(self) -> None:
        try:
            if self._folder:
                self._adb.run(f"rm -rf {shlex.quote(self._folder)}", 30)
        except PocketlensError:
            pass  # it cannot be reached any more
        finally:
            self._folder = ""
            if (python := self.__dict__.get("_python")) is not None:
                python.close()


class _ToolOrPythonWorker:
    """A worker that is the tool or Python: which of the two, the runtime decides when an artifact is loaded."""

    def __init__(self, device: Android) -> None:
        self._device = device
        self._worker: Worker | None = None

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        self._worker = self._device.worker(runtime)
        return self._worker.load(path, runtime, options, seconds)

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        return self._loaded.first(picture, expected, seconds)

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        return self._loaded.play(block_seconds, block_count, seconds)

    def peak_mb(self, seconds: float) -> float | None:
        return self._loaded.peak_mb(seconds)

    def camera_ms(self, seconds: float) -> tuple[float, ...]:
        return ()

    @property
    def _loaded(self) -> Worker:
        if self._worker is None:
            raise WorkerError("nothing is loaded", do="load first")
        return self._worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


def open_adb(name: str, tool: Path | None = None) -> Android:
    """The device of a name, without reaching it yet.

    Args:
        name: ``adb:SERIAL``, or ``adb:`` for the only one.
        tool: LiteRT's ``benchmark_model`` built for the device, or None if the device has it already.

    Raises:
        InputError: The tool is no file, or the serial cannot be one.
    """
    serial = name.removeprefix("adb:")
    if serial.startswith("-") or (shlex.quote(serial) != serial and serial):
        raise InputError(f"{serial!r} is no serial number", do="adb devices lists them")
    if tool is not None and not (tool.is_file() and os.access(tool, os.R_OK)):
        raise InputError(f"{tool} is no file", do="give LiteRT's benchmark_model, built for the device")
    return Android(Adb(serial), tool)
